// Draws a pool's window over the wait anew while its rules are typed; the server drew it as it was saved.
const NAMES = ["rule", "radius", "growth_per_second", "step_seconds", "cap"];
const MOMENTS = [0, 10, 30, 60, 120];

const field = (name) => document.getElementById(`id_${name}`);

function windowAt(rule, waited) {
  const grown = rule.step_seconds > 0 ? Math.floor(waited / rule.step_seconds + 1e-9) * rule.step_seconds : waited;
  const width = rule.radius + rule.growth_per_second * grown;
  return rule.cap === null ? width : Math.min(width, rule.cap);
}

function typed() {
  const number = (name) => Number(field(name).value || NaN);
  return {
    radius: number("radius"),
    growth_per_second: number("growth_per_second"),
    step_seconds: number("step_seconds"),
    cap: field("cap").value === "" ? null : number("cap"),
  };
}

function draw(preview) {
  const rule = typed();
  const text = preview.querySelector("p");
  if (Object.values(rule).some((value) => value !== null && !(value >= 0))) {
    text.textContent = "These are not numbers of 0 and more.";
    return;
  }
  const { width, height } = preview.querySelector("svg").viewBox.baseVal;
  const seconds = Number(preview.dataset.seconds);
  const windows = Array.from({ length: width + 1 }, (_, x) => windowAt(rule, (x * seconds) / width));
  const top = Math.max(...windows, 1);
  const points = windows.map((window, x) => `${x},${(height - (window / top) * height).toFixed(1)}`);
  preview.querySelector("polyline").setAttribute("points", points.join(" "));
  text.textContent = MOMENTS.map((at) => `${at} s: ±${Number(windowAt(rule, at).toFixed(1))}`).join(", ");
}

function takePreset(preset) {
  for (const name of preset ? NAMES : []) {
    field(name).value = preset[name] ?? "";
  }
}

document.addEventListener("DOMContentLoaded", () => {
  const preview = document.getElementById("window-preview");
  if (!preview || !field("preset")) {
    return;
  }
  const presets = JSON.parse(preview.dataset.presets);
  field("preset").addEventListener("change", () => {
    takePreset(presets[field("preset").value]);
    draw(preview);
  });
  for (const name of NAMES) {
    field(name).addEventListener("input", () => {
      field("preset").value = "custom";
      draw(preview);
    });
  }
});
