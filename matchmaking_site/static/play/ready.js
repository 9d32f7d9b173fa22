/** The ready check: a match was found, and each of its players says whether it plays. */

import { element, onClick, setWaiting, writeLine } from "../shared/dom.js";
import { readyCount } from "./words.js";

/** @typedef {import("./play.js").App} App */

const ANSWER = "ready";

/** @param {App} app */
export function listenForReady(app) {
  onClick("accept-match", async () => {
    const { match_id: id } = app.matchmaking.match;
    const before = app.acceptedId;
    app.acceptedId = id;
    await app.actions.run(ANSWER, () => app.client.acceptMatch(id));
    if (app.actions.refusal(ANSWER)) app.acceptedId = before;
  });
  onClick("decline-match", () => {
    const { match_id: id } = app.matchmaking.match;
    app.actions.run(ANSWER, () => app.client.declineMatch(id));
  });
}

/** Has the player said that it is ready? @param {App} app */
export function hasAccepted({ matchmaking: { match }, acceptedId }) {
  return match !== null && match.match_id === acceptedId;
}

/** The panel, which takes the focus when it comes. @param {App} app */
export function drawReady(app) {
  const { match } = app.matchmaking;
  const panel = element("ready");
  const isOn = match?.stage === "accepting";
  const isNew = isOn && panel.dataset.match !== match.match_id;
  panel.hidden = !isOn;
  panel.dataset.match = isOn ? match.match_id : "";
  if (!isOn) return;
  if (isNew) app.actions.forget(ANSWER);
  for (const id of ["accept-match", "decline-match"]) {
    element(id).hidden = hasAccepted(app);
    setWaiting(element(id), app.actions.isUnderWay(ANSWER));
  }
  writeLine("ready-count", readyCount(match));
  writeLine("ready-error", app.actions.refusal(ANSWER));
  tickReady(app);
  panel.toggleAttribute("data-new", isNew);
}

/** To be called when the panel is on the screen. */
export function focusReady() {
  const panel = element("ready");
  if (panel.hidden || !panel.hasAttribute("data-new")) return;
  panel.removeAttribute("data-new");
  panel.focus();
}

/** Only what the clock moves. @param {App} app */
export function tickReady({ matchmaking: { match }, client, pools }) {
  if (match?.stage !== "accepting") return;
  const ms = match.accept_by === null ? null : Math.max(0, Date.parse(match.accept_by) - client.serverNow());
  writeLine("ready-clock", ms === null ? "" : String(Math.ceil(ms / 1000)));
  const whole = (pools?.find((pool) => pool.pool_key === match.pool_key)?.accept_seconds ?? 0) * 1000;
  const bar = element("ready-left");
  bar.parentElement.hidden = ms === null || whole === 0;
  bar.style.setProperty("--left", String(Math.min(1, (ms ?? 0) / (whole || 1))));
  bar.toggleAttribute("data-short", ms !== null && ms < SHORT_MS);
}

const SHORT_MS = 5000;
