/** One's own challenges on the page: in the lobby, and after a game. */

import { drawKeyed, drawList, element, fromTemplate, part, setText, setWaiting, write, writeLine } from "../shared/dom.js";
import { creating, keyOf, msLeft, REMATCH } from "./challenges.js";
import { challengeFacts, ownWords, rematchWords } from "./challenge-words.js";
import { drawFacts, drawRefusal } from "./parts.js";

/** @typedef {import("./play.js").App} App */

/** The section in the lobby. @param {App} app */
export function drawChallenges(app) {
  const { matchmaking, pools } = app;
  write("own-id", matchmaking.user_id ?? "");
  drawPools(pools ?? []);
  drawRecent(app.recent ?? []);
  const { isUnderWay, refusal } = creating(app);
  writeLine("challenge-error", refusal);
  for (const button of element("challenge-form").querySelectorAll(".buttons button")) setWaiting(button, isUnderWay);
  const outgoing = matchmaking.challenges.outgoing.filter((one) => msLeft(app, one) > 0);
  writeLine("challenge-hint", outgoing.length ? `${outgoing.length} waiting for an answer` : "");
  element("outgoing-part").hidden = outgoing.length === 0;
  const make = () => fromTemplate("outgoing-template");
  drawKeyed(element("outgoing"), outgoing, (one) => one.challenge_id, make, (item, one) => drawOutgoing(item, one, app));
}

/** Challenges are between two. */
function drawPools(pools) {
  const forTwo = pools.filter((pool) => (pool.teams ?? 2) * (pool.team_size ?? 1) === 2);
  const make = () => document.createElement("option");
  drawList(element("challenge-pool"), forTwo, make, (option, pool) => {
    option.value = pool.pool_key;
    setText(option, pool.name || pool.pool_key);
  });
}

function drawRecent(recent) {
  element("recent-part").hidden = recent.length === 0;
  const make = () => {
    const item = document.createElement("li");
    const button = part("button", "chip");
    button.setAttribute("type", "button");
    item.append(button);
    return item;
  };
  drawKeyed(element("recent"), recent, (one) => one.user_id, make, (item, one) => {
    item.firstElementChild.dataset.user = one.user_id;
    setText(item.firstElementChild, one.display_name);
  });
}

function drawOutgoing(item, challenge, app) {
  const { challenge_id: id, url } = challenge;
  item.dataset.challenge = id;
  const title = item.querySelector(".request-title");
  title.id = `outgoing-${id}`;
  setText(title, ownWords(challenge));
  const facts = challengeFacts(challenge, { isOwn: true, pools: app.pools, msLeft: msLeft(app, challenge) });
  drawFacts(item.querySelector(".facts-line"), facts);
  drawRefusal(item, app.actions.refusal(keyOf(id)));
  drawLink(item, url);
  const withdraw = item.querySelector("[data-do=cancel]");
  withdraw.setAttribute("aria-describedby", title.id);
  setWaiting(withdraw, app.actions.isUnderWay(keyOf(id)));
}

/** The link of an open challenge. @param {Element} within @param {string | null} url */
export function drawLink(within, url) {
  const row = /** @type {any} */ (within.querySelector(".link-row"));
  row.hidden = url === null;
  if (url === null) return;
  const link = row.querySelector("a");
  link.href = url;
  setText(link, url.replace(/^https?:\/\//, ""));
  row.querySelector("button").dataset.url = url;
}

// --- after a game

/** @param {App} app */
export function drawRematch(app) {
  const { state } = app.room;
  const matchId = state.session?.match_id;
  const isOfTwo = state.participants.length === 2;
  const { text, action } = rematchWords(app.matchmaking.challenges, matchId);
  const button = element("rematch");
  button.hidden = !matchId || !isOfTwo;
  const isUnderWay = app.actions.isUnderWay(REMATCH);
  setText(button, isUnderWay ? "Asking…" : action);
  setWaiting(button, isUnderWay);
  writeLine("rematch-text", text);
  writeLine("rematch-error", app.actions.refusal(REMATCH));
}
