/** Writing into the page. Only what differs is written, so that drawing again costs little and disturbs nobody. */

const HUES = 6;

/** @param {string} id @returns {any} */
export const element = (id) => document.getElementById(id);

/** @param {Element} target @param {string} text */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** @param {string} id @param {string} text */
export function write(id, text) {
  setText(element(id), text);
}

/** A line that is there only when it has something to say. @param {string} id @param {string} text */
export function writeLine(id, text) {
  write(id, text);
  element(id).hidden = text === "";
}

/** @param {string} tag @param {string} className @param {string} [text] */
export function part(tag, className, text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

/** @param {string} id of a template of one element @returns {any} */
export function fromTemplate(id) {
  return element(id).content.firstElementChild.cloneNode(true);
}

/**
 * Give a list as many children as there are items, and draw each item into its child.
 * @template T
 * @param {Element} list
 * @param {readonly T[]} items
 * @param {() => Element} make
 * @param {(child: any, item: T, index: number) => void} draw
 */
export function drawList(list, items, make, draw) {
  while (list.children.length > items.length) list.lastElementChild.remove();
  while (list.children.length < items.length) list.append(make());
  items.forEach((item, index) => draw(list.children[index], item, index));
}

/**
 * The same for items that come and go while somebody is about to press one: each keeps its own child.
 * @template T
 * @param {Element} list
 * @param {readonly T[]} items
 * @param {(item: T) => string} keyOf
 * @param {() => any} make
 * @param {(child: any, item: T) => void} draw
 */
export function drawKeyed(list, items, keyOf, make, draw) {
  const keys = new Set(items.map(keyOf));
  const known = new Map();
  for (const child of /** @type {any} */ ([...list.children])) {
    if (keys.has(child.dataset.key)) known.set(child.dataset.key, child);
    else child.remove();
  }
  items.forEach((item, index) => {
    const child = known.get(keyOf(item)) ?? make();
    child.dataset.key = keyOf(item);
    if (list.children[index] !== child) list.insertBefore(child, list.children[index] ?? null);
    draw(child, item);
  });
}

/** A button that waits keeps the focus, which a disabled one would lose. @param {Element} button @param {boolean} waits */
export function setWaiting(button, waits) {
  button.setAttribute("aria-disabled", String(waits));
}

/** An avatar's colour, the same for a name on every screen. @param {string} name */
export function hueOf(name) {
  return [...name].reduce((sum, character) => sum + character.codePointAt(0), 0) % HUES;
}

/** @param {string} id @param {() => void} action */
export function onSubmit(id, action) {
  element(id).addEventListener("submit", (event) => {
    event.preventDefault();
    action();
  });
}

/** @param {string} id @param {(event: any) => void} action */
export function onClick(id, action) {
  element(id).addEventListener("click", action);
}

/**
 * Do something that may be refused: the button waits, and the refusal is told in a line.
 * @param {any} button
 * @param {string} errorLine
 * @param {() => Promise<unknown>} action
 */
export async function attempt(button, errorLine, action) {
  button.disabled = true;
  writeLine(errorLine, "");
  try {
    await action();
  } catch (error) {
    writeLine(errorLine, error.message);
  } finally {
    button.disabled = false;
  }
}

/** What a field is refused for, empty when it is not. @param {string} field @param {string} line @param {string} text */
export function refuse(field, line, text) {
  writeLine(line, text);
  element(field).setAttribute("aria-invalid", String(text !== ""));
  if (text) element(field).focus();
}
