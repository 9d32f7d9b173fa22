/** The page, drawn from what is known. It is called after every change and writes only what differs. */

import * as words from "./words.js";

/** @param {string} id @returns {any} */
export const element = (id) => document.getElementById(id);

const SCREENS = ["welcome", "restoring", "lobby", "search", "room", "over"];
const HUES = 6;

/** @param {string} id @param {string} text */
export function write(id, text) {
  const target = element(id);
  if (target.textContent !== text) target.textContent = text;
}

/** A line that is there only when it has something to say. @param {string} id @param {string} text */
export function writeLine(id, text) {
  write(id, text);
  element(id).hidden = text === "";
}

/** @typedef {import("./play.js").App} App */

/** @param {App} app @returns {string} */
export function screenOf({ identity, matchmaking, room }) {
  if (!identity.isKnown) return "welcome";
  if (room) return room.ending ? "over" : "room";
  if (!matchmaking.restored) return "restoring";
  const isExternalGame = matchmaking.match?.stage === "confirmed" && matchmaking.session_id === null;
  const isOnTheWay = matchmaking.match?.stage === "found" || matchmaking.ticket !== null;
  return isOnTheWay || isExternalGame ? "search" : "lobby";
}

/** @param {App} app */
export function draw(app) {
  const screen = screenOf(app);
  drawFrame(app, screen);
  DRAW[screen]?.(app);
  show(screen);
  drawBanner(app);
  speak(app, screen);
}

/** Only what the clock moves. @param {App} app */
export function tick(app) {
  const screen = screenOf(app);
  if (screen === "search") drawClock(app);
  if (screen === "room") drawPlayers(app.room);
  drawBanner(app);
}

function show(screen) {
  const before = SCREENS.find((one) => !element(`screen-${one}`).hidden);
  if (before === screen) return;
  const { activeElement } = document;
  const losesFocus = before && (activeElement === document.body || element(`screen-${before}`).contains(activeElement));
  for (const one of SCREENS) element(`screen-${one}`).hidden = one !== screen;
  window.scrollTo(0, 0);
  if (losesFocus) element(`${screen}-title`).focus();
}

const TITLES = { search: "Searching", room: "In a game", over: "Game over" };

function drawFrame(app, screen) {
  const { identity, client } = app;
  const title = screen === "search" ? words.searchWords(app.matchmaking, true)[0] : TITLES[screen];
  document.title = title ? `${title} · Matchmaking` : "Matchmaking";
  element("who").hidden = !identity.isKnown;
  write("who-name", identity.name);
  const [presence, text] = LINK[client?.state ?? "closed"];
  element("link-state").dataset.presence = presence;
  write("link-text", text);
}

const LINK = { open: ["connected", "Online"], connecting: ["away", "Connecting"], closed: ["gone", "Offline"] };

// --- screens

const DRAW = { lobby: drawLobby, search: drawSearch, room: drawRoom, over: drawOver };

function drawLobby({ identity, pools, matchmaking, isJoining }) {
  write("lobby-name", identity.name);
  writeLine("lobby-note", words.noticeText(matchmaking.notice));
  element("no-pools").hidden = pools === null || pools.length > 0;
  for (const [index, pool] of (pools ?? []).entries()) drawPool(pool, index);
  const keys = new Set((pools ?? []).map((pool) => pool.pool_key));
  for (const input of element("pools").querySelectorAll("input")) {
    if (!keys.has(input.value)) input.closest("label").remove();
  }
  const button = element("find-match");
  button.disabled = isJoining || keys.size === 0;
  write("find-match", isJoining ? "Joining the queue…" : "Find a match");
}

function drawPool(pool, index) {
  const list = element("pools");
  const known = [...list.querySelectorAll("input")].find((input) => input.value === pool.pool_key);
  const label = known?.closest("label") ?? element("pool-template").content.firstElementChild.cloneNode(true);
  if (!known) {
    const input = label.querySelector("input");
    input.value = pool.pool_key;
    input.checked = index === 0 && !list.querySelector(":checked");
    list.append(label);
  }
  label.querySelector(".pool-name").textContent = pool.name || pool.pool_key;
  label.querySelector(".pool-facts").replaceChildren(...words.poolFacts(pool).map((fact) => span(fact)));
  const waiting = label.querySelector(".pool-waiting");
  waiting.textContent = words.waitingPlayers(pool.waiting);
  waiting.toggleAttribute("data-some", pool.waiting > 0);
}

function drawSearch(app) {
  const { matchmaking, identity } = app;
  const step = words.searchStep(matchmaking);
  const [title, text] = words.searchWords(matchmaking, app.client.state === "open");
  write("search-title", title);
  write("search-text", text);
  write("meeting-you", words.initials(identity.name));
  write("meeting-them", words.initials(matchmaking.match?.opponents[0]?.display_name ?? "") || "?");
  element("meeting").dataset.step = step;
  drawSteps(step);
  writeLine("search-note", words.noticeText(matchmaking.notice));
  drawFacts(matchmaking);
  drawWhy(app);
  drawClock(app);
  const link = element("join-link");
  link.hidden = step !== "ready" || !matchmaking.match.join_url;
  if (!link.hidden) link.href = matchmaking.match.join_url;
  element("leave-queue").hidden = matchmaking.ticket === null;
}

function drawSteps(step) {
  let isDone = true;
  for (const item of element("steps").children) {
    const isCurrent = item.dataset.step === step;
    isDone &&= !isCurrent;
    item.toggleAttribute("data-done", isDone || (isCurrent && step === "ready"));
    if (isCurrent) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  }
}

function drawFacts({ ticket, waiting }) {
  element("facts").hidden = ticket === null;
  if (ticket === null) return;
  const place = ticket.position === null ? "–" : String(ticket.position);
  write("fact-position", waiting === null ? place : `${place} of ${Math.max(waiting, ticket.position ?? 0)}`);
  const [window, range] = words.ratingWindow(ticket);
  write("fact-window", window);
  write("fact-range", range);
  write("fact-estimate", words.estimate(ticket.estimated_wait_seconds));
}

function drawWhy({ matchmaking: { ticket }, explanation }) {
  const isOfThis = ticket?.status === "SEARCHING" && explanation?.queue_entry_id === ticket.queue_entry_id;
  writeLine("search-why", isOfThis ? words.why(explanation) : "");
}

function drawClock({ matchmaking, client }) {
  const { ticket } = matchmaking;
  element("search-clock").hidden = ticket === null;
  if (ticket) write("search-clock", words.clock((client.serverNow() - Date.parse(ticket.queued_at)) / 1000));
}

function drawRoom({ room, identity }) {
  const [title, text] = words.roomWords(room);
  write("room-title", title);
  writeLine("room-text", text);
  const opponent = room.state.participants.find((one) => one.participant_id !== room.state.participant_id);
  write("room-you", words.initials(identity.name));
  write("room-them", words.initials(opponent?.display_name ?? ""));
  element("room-meeting").dataset.presence = presenceOf(opponent);
  drawPlayers(room);
}

const PRESENCE = { connected: "connected", temporarily_disconnected: "away" };

function presenceOf(player) {
  return PRESENCE[player?.connection_state] ?? (player ? "gone" : "away");
}

function drawPlayers(room) {
  const list = element("players");
  const players = room.state.participants;
  while (list.children.length > players.length) list.lastElementChild.remove();
  while (list.children.length < players.length) {
    list.append(element("player-template").content.firstElementChild.cloneNode(true));
  }
  players.forEach((player, index) => drawPlayer(list.children[index], player, room));
}

function drawPlayer(item, player, room) {
  const id = player.participant_id;
  const isMe = id === room.state.participant_id;
  const isCutOff = isMe && room.client.state !== "open";
  item.dataset.presence = isCutOff ? "away" : presenceOf(player);
  const avatar = item.querySelector(".avatar");
  avatar.dataset.hue = hueOf(player.display_name);
  avatar.textContent = words.initials(player.display_name);
  item.querySelector(".player-name").replaceChildren(player.display_name, ...(isMe ? [" ", small("(you)")] : []));
  const state = isCutOff ? "No connection" : words.presence(player, room.state.left[id], room.secondsLeft(id));
  const target = item.querySelector(".player-words");
  if (target.textContent !== state) target.textContent = state;
}

function drawOver({ room, isJoining, poolKey }) {
  const [title, text] = words.overWords(room);
  write("over-title", title);
  writeLine("over-text", text);
  const standing = words.standing(room.state.standing ?? []);
  element("standing").hidden = standing.length === 0;
  element("standing").replaceChildren(...standing.map(([name, result]) => row(name, result)));
  element("again").disabled = isJoining;
  write("again", isJoining ? "Joining the queue…" : "Find another match");
  element("to-lobby").hidden = !poolKey;
}

// --- the connection

function drawBanner(app) {
  const [title, text, action] = words.bannerWords(bannerClient(app));
  element("banner").hidden = title === "";
  write("banner-title", title);
  write("banner-text", text);
  element("banner-action").hidden = action === "";
  write("banner-action", action);
}

/** The socket that the player would miss most. @param {App} app */
export function bannerClient({ client, room }) {
  return room && !room.ending && room.client.state !== "open" ? room.client : client;
}

// --- for those who listen

let lastSpoken = "";

function speak(app, screen) {
  const text = spokenWords(app, screen);
  if (text === lastSpoken) return;
  lastSpoken = text;
  write("spoken", text);
}

function spokenWords(app, screen) {
  const lost = words.bannerWords(bannerClient(app))[0];
  if (lost) return lost;
  if (screen === "lobby") return words.noticeText(app.matchmaking.notice);
  if (screen === "search") return [words.noticeText(app.matchmaking.notice), ...words.searchWords(app.matchmaking, true)].join(" ");
  if (screen === "room") return words.roomWords(app.room).join(" ");
  return screen === "over" ? words.overWords(app.room).join(" ") : "";
}

// --- small parts

function span(text) {
  const part = document.createElement("span");
  part.textContent = text;
  return part;
}

function small(text) {
  const part = document.createElement("small");
  part.textContent = text;
  return part;
}

function row(name, result) {
  const item = document.createElement("li");
  item.append(span(name), span(result));
  return item;
}

function hueOf(name) {
  return [...name].reduce((sum, character) => sum + character.codePointAt(0), 0) % HUES;
}
