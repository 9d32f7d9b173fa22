/** Challenges on the page: those to the player above every screen, and one's own in the lobby. */

import { drawKeyed, drawList, element, fromTemplate, hueOf, part, setText, setWaiting, write, writeLine } from "../shared/dom.js";
import { initials } from "../shared/words.js";
import { creating, keyOf, REMATCH } from "./challenges.js";
import { askWords, challengeFacts, ownWords, rematchWords } from "./challenge-words.js";

/** @typedef {import("./play.js").App} App */
/** @typedef {import("../realtime/types.js").Challenge} Challenge */

/** Where a player can answer; who plays cannot accept. */
const SCREENS = new Set(["lobby", "search", "over", "challenge"]);

/** Those to the player that are shown, the oldest first: a new one moves none of them. @param {App} app @param {string} screen @returns {Challenge[]} */
export function shownRequests(app, screen) {
  const { challenges, match } = app.matchmaking;
  const isInMatch = match !== null && screen === "search";
  if (!SCREENS.has(screen) || isInMatch) return [];
  const openedId = screen === "challenge" ? app.opened?.id : null;
  return challenges.incoming.filter((one) => one.challenge_id !== openedId && msLeft(app, one) > 0).reverse();
}

/** How a challenge ended, where that disturbs no game. @param {App} app @param {string} screen */
export function newsOn(app, screen) {
  return SCREENS.has(screen) ? app.news : "";
}

/** @param {App} app @param {Challenge} challenge */
export function msLeft({ client }, { expires_at: time }) {
  return Date.parse(time) - (client?.serverNow() ?? Date.now());
}

/** @param {App} app @param {string} screen */
export function drawRequests(app, screen) {
  const requests = shownRequests(app, screen);
  const list = element("requests");
  const hadFocus = list.contains(document.activeElement);
  drawKeyed(list, requests, (one) => one.challenge_id, () => fromTemplate("request-template"), (item, one) => drawRequest(item, one, app));
  if (hadFocus && !list.contains(document.activeElement)) element(`${screen}-title`).focus();
  writeLine("news", newsOn(app, screen));
  element("incoming").hidden = requests.length === 0 && element("news").hidden;
}

function drawRequest(item, challenge, app) {
  const { challenge_id: id, challenger } = challenge;
  item.dataset.challenge = id;
  drawAvatar(item, challenger.display_name);
  const title = item.querySelector(".request-title");
  title.id = `request-${id}`;
  setText(title, askWords(challenge));
  const facts = challengeFacts(challenge, { isOwn: false, pools: app.pools, msLeft: msLeft(app, challenge) });
  drawFacts(item.querySelector(".facts-line"), facts);
  const isUnderWay = app.actions.isUnderWay(keyOf(id));
  drawRefusal(item, app.actions.refusal(keyOf(id)));
  for (const button of item.querySelectorAll("button")) {
    button.setAttribute("aria-describedby", title.id);
    setWaiting(button, isUnderWay);
  }
}

// --- one's own

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

// --- parts of both

/** @param {any} item @param {string} name */
function drawAvatar(item, name) {
  const avatar = item.querySelector(".avatar");
  avatar.dataset.hue = String(hueOf(name));
  setText(avatar, initials(name));
}

/** @param {Element} line @param {readonly string[]} facts */
export function drawFacts(line, facts) {
  drawList(line, facts, () => part("span", ""), setText);
}

/** @param {any} item @param {string} text */
function drawRefusal(item, text) {
  const line = item.querySelector(".error");
  setText(line, text);
  line.hidden = text === "";
}
