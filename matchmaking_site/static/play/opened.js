/** The page of a challenge's link, `/challenges/{id}`: who asks, for what, and what became of it. */

import { copyBy } from "../shared/copy.js";
import { element, onClick, setText, setWaiting, write, writeLine } from "../shared/dom.js";
import { initials } from "../shared/words.js";
import { answer, keyOf, msLeft } from "./challenges.js";
import { drawLink } from "./challenges-view.js";
import { challengeFacts, openedWords } from "./challenge-words.js";
import { drawFacts } from "./parts.js";

/** @typedef {import("./play.js").App} App */
/** @typedef {import("../realtime/types.js").Challenge} Challenge */

/**
 * `problem` is why the challenge cannot be shown.
 * @typedef {{id: string, challenge: Challenge | null, problem: any}} Opened
 */

const PATH = /^\/challenges\/([^/]+)\/?$/;

/** What the address says. @returns {Opened | null} */
export function openedByAddress() {
  const id = PATH.exec(location.pathname)?.[1];
  return id ? { id, challenge: null, problem: null } : null;
}

/** The link has done what it is for. @param {App} app */
export function closeOpened(app) {
  if (app.opened) history.replaceState(null, "", "/");
  app.opened = null;
}

/** Nobody is told of challenges to others: who looks at one asks again. @param {App} app @param {() => void} draw */
export async function loadOpened(app, draw) {
  const { opened } = app;
  if (!opened) return;
  try {
    opened.challenge = await app.identity.call("GET", `/v1/matchmaking/challenges/${encodeURIComponent(opened.id)}`);
    opened.problem = null;
  } catch (error) {
    if (opened.challenge === null) opened.problem = error;
  }
  draw();
}

/** May it look different when asked for again? @param {App} app */
export function isWaiting({ opened }) {
  return opened?.problem?.status !== 404 && (opened?.challenge?.status ?? "PENDING") === "PENDING";
}

/** @param {App} app @param {() => void} draw */
export function listenForOpened(app, draw) {
  const verbs = { accept: "accept", decline: "decline", withdraw: "cancel" };
  for (const [button, verb] of Object.entries(verbs)) {
    onClick(`challenge-${button}`, async () => {
      const { opened } = app;
      const challenge = await answer(app, opened.id, /** @type {"accept"} */ (verb));
      if (challenge) opened.challenge = challenge;
      if (challenge && verb === "accept") closeOpened(app);
      else await loadOpened(app, draw);
      draw();
    });
  }
  onClick("challenge-lobby", () => {
    closeOpened(app);
    draw();
  });
  element("challenge-link").querySelector("button").addEventListener("click", ({ currentTarget }) => {
    copyBy(currentTarget, currentTarget.dataset.url);
  });
}

/** @param {App} app */
export function drawOpened(app) {
  const { opened, identity, matchmaking } = app;
  const { challenge } = opened;
  const [title, text] = wordsOf(app);
  write("challenge-title", title);
  writeLine("challenge-text", text);
  const isOwn = challenge?.challenger.user_id === matchmaking.user_id;
  const isOpen = challenge?.status === "PENDING" && msLeft(app, challenge) > 0;
  write("challenge-you", initials(identity.name));
  write("challenge-them", isOwn ? "?" : initials(challenge?.challenger.display_name ?? ""));
  element("challenge-meeting").dataset.step = isOwn && isOpen ? "searching" : "confirming";
  element("challenge-meeting").dataset.presence = challenge === null || isOpen ? "" : "gone";
  drawFacts(element("challenge-facts"), isOpen ? challengeFacts(challenge, { isOwn, pools: app.pools, msLeft: msLeft(app, challenge) }) : []);
  drawLink(element("screen-challenge"), isOwn && isOpen ? challenge.url : null);
  drawAnswers(app, isOpen, isOwn);
}

function drawAnswers(app, isOpen, isOwn) {
  const { opened, actions } = app;
  const key = keyOf(opened.id);
  writeLine("challenge-refusal", actions.refusal(key));
  element("challenge-accept").hidden = !isOpen || isOwn;
  element("challenge-decline").hidden = !isOpen || isOwn || opened.challenge.opponent === null;
  element("challenge-withdraw").hidden = !isOpen || !isOwn;
  const isUnderWay = actions.isUnderWay(key);
  for (const name of ["accept", "decline", "withdraw"]) setWaiting(element(`challenge-${name}`), isUnderWay);
  setText(element("challenge-accept"), isUnderWay ? "Asking both of you…" : "Accept the challenge");
}

/** @param {App} app @returns {[title: string, text: string]} */
export function wordsOf(app) {
  const { challenge, problem } = app.opened;
  return openedWords({ challenge, problem, userId: app.matchmaking.user_id, msLeft: challenge ? msLeft(app, challenge) : 0 });
}
