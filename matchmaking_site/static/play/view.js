/** The page, drawn from what is known. It is called after every change and writes only what differs. */

import { duelResult, placeOf, quizSpoken, ratingWords } from "../quiz/words.js";
import { drawBoard, drawPlayers, drawQuiz, tickQuiz, verdictOf } from "../quiz/view.js";
import { element, fromTemplate, part, setText, write, writeLine } from "../shared/dom.js";
import { drawBanner, drawWho, setTitle, show, speak } from "../shared/frame.js";
import { bannerWords, initials, presenceOf } from "../shared/words.js";
import { drawChallenges, drawRematch } from "./challenges-view.js";
import { rematchWords } from "./challenge-words.js";
import { askedOn, drawIncoming, incomingSpoken } from "./incoming.js";
import { drawOpened, wordsOf } from "./opened.js";
import { drawParty, maySearch, partySearchWords } from "./party-view.js";
import { drawRatings } from "./ratings.js";
import { drawReady, focusReady, hasAccepted, tickReady } from "./ready.js";
import * as words from "./words.js";

/** @typedef {import("./play.js").App} App */

/** @param {App} app @returns {string} */
export function screenOf({ identity, isLooking, matchmaking, room, opened }) {
  if (isLooking) return "restoring";
  if (!identity.isKnown) return "welcome";
  if (room) return roomScreen(room);
  if (!matchmaking.restored) return "restoring";
  const isExternalGame = matchmaking.match?.stage === "confirmed" && matchmaking.session_id === null;
  const isOnTheWay = matchmaking.match !== null && matchmaking.match.stage !== "confirmed";
  if (isOnTheWay || isExternalGame) return "search";
  if (opened) return "challenge";
  return matchmaking.ticket ? "search" : "lobby";
}

function roomScreen({ ending, state }) {
  if (ending) return "over";
  if (!state.restored) return "restoring";
  return state.question && state.phase !== "lobby" ? "quiz" : "room";
}

const DRAW = { welcome: drawWelcome, lobby: drawLobby, challenge: drawOpened, search: drawSearch, room: drawRoom, quiz: drawDuel, over: drawOver };

/** @param {App} app */
export function draw(app) {
  const screen = screenOf(app);
  drawFrame(app, screen);
  DRAW[screen]?.(app);
  show(screen);
  focusReady();
  drawIncoming(app, screen);
  drawConnection(app);
  speak(spokenWords(app, screen));
}

/** Only what the clock moves. @param {App} app */
export function tick(app) {
  const screen = screenOf(app);
  drawIncoming(app, screen);
  if (screen === "lobby") drawChallenges(app);
  if (screen === "challenge") drawOpened(app);
  if (screen === "search") tickSearch(app);
  if (screen === "room") tickRoom(app.room);
  if (screen === "quiz") tickDuel(app.room);
  drawConnection(app);
}

const TITLES = { room: "In a game", quiz: "In a game", over: "Game over", restoring: "Restoring session…" };

function drawFrame(app, screen) {
  const { identity, client } = app;
  setTitle(titleOf(app, screen));
  drawWho(identity.name, client);
}

/** What a tab in the background shall say. @param {App} app @param {string} screen */
function titleOf(app, screen) {
  if (screen === "search") return words.searchWords(app.matchmaking, true)[0];
  const [asked] = askedOn(app, screen);
  if (asked) return asked;
  return screen === "challenge" ? wordsOf(app)[0] : (TITLES[screen] ?? "");
}

function drawWelcome({ opened }) {
  const [title, text] = words.welcomeWords(opened !== null);
  write("welcome-title", title);
  write("welcome-text", text);
}

// --- before a match

function drawLobby(app) {
  const { identity, pools, matchmaking, isJoining } = app;
  drawChallenges(app);
  drawParty(app);
  drawRatings(app);
  writeLine("party-search", partySearchWords(app));
  write("lobby-name", identity.name);
  writeLine("lobby-note", words.noticeText(matchmaking.notice));
  element("no-pools").hidden = pools === null || pools.length > 0;
  for (const [index, pool] of (pools ?? []).entries()) drawPool(pool, index);
  const keys = new Set((pools ?? []).map((pool) => pool.pool_key));
  for (const input of element("pools").querySelectorAll("input")) {
    if (!keys.has(input.value)) input.closest("label").remove();
  }
  const button = element("find-match");
  button.disabled = isJoining || keys.size === 0 || !maySearch(app);
  write("find-match", isJoining ? "Joining the queue…" : "Find a match");
}

function drawPool(pool, index) {
  const list = element("pools");
  const known = [...list.querySelectorAll("input")].find((input) => input.value === pool.pool_key);
  const label = known?.closest("label") ?? fromTemplate("pool-template");
  if (!known) {
    const input = label.querySelector("input");
    input.value = pool.pool_key;
    input.checked = index === 0 && !list.querySelector(":checked");
    list.append(label);
  }
  label.querySelector(".pool-name").textContent = pool.name || pool.pool_key;
  label.querySelector(".pool-facts").replaceChildren(...words.poolFacts(pool).map((fact) => part("span", "", fact)));
  const waiting = label.querySelector(".pool-waiting");
  waiting.textContent = words.waitingPlayers(pool.waiting);
  waiting.toggleAttribute("data-some", pool.waiting > 0);
}

function drawSearch(app) {
  const { matchmaking, identity } = app;
  const step = words.searchStep(matchmaking);
  const [title, text] = words.searchWords(matchmaking, app.client.state === "open", hasAccepted(app));
  write("search-title", title);
  write("search-text", text);
  write("meeting-you", initials(identity.name));
  write("meeting-them", initials(matchmaking.match?.opponents[0]?.display_name ?? "") || "?");
  const shownStep = step === "accepting" ? "confirming" : step;
  element("meeting").dataset.step = shownStep;
  drawSteps(shownStep);
  drawReady(app);
  writeLine("search-note", words.noticeText(matchmaking.notice));
  writeLine("search-party", step === "searching" ? partySearchWords(app) : "");
  drawFacts(matchmaking);
  drawWhy(app);
  tickSearch(app);
  const link = element("join-link");
  link.hidden = step !== "ready" || !matchmaking.match.join_url;
  if (!link.hidden) link.href = matchmaking.match.join_url;
  element("leave-queue").hidden = matchmaking.ticket === null || step === "accepting";
}

function tickSearch(app) {
  drawClock(app);
  tickReady(app);
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

function drawFacts({ ticket, waiting, match }) {
  element("facts").hidden = ticket === null || match?.stage === "accepting";
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
  const { ticket, match } = matchmaking;
  element("search-clock").hidden = ticket === null || match?.stage === "accepting";
  if (ticket) write("search-clock", words.clock((client.serverNow() - Date.parse(ticket.queued_at)) / 1000));
}

// --- the duel

function drawRoom({ room, identity, opponents }) {
  const [title, text] = words.roomWords(room, opponents);
  const named = room.others.find((one) => one.display_name === opponents[0]?.display_name);
  const opponent = named ?? room.others[0];
  write("room-title", title);
  writeLine("room-text", text);
  write("room-you", initials(identity.name));
  write("room-them", initials(opponent?.display_name ?? ""));
  element("room-meeting").dataset.presence = presenceOf(opponent);
  tickRoom(room);
}

function tickRoom(room) {
  drawPlayers("players", room);
  const seconds = Math.ceil(room.msUntil(room.state.ends_at) / 1000);
  writeLine("room-clock", seconds > 0 ? `Starts in ${seconds}` : "");
}

function drawDuel({ room }) {
  drawQuiz(room);
  tickDuel(room);
}

function tickDuel(room) {
  tickQuiz(room);
  drawPlayers("scoreboard", room);
  const seconds = Math.ceil(room.msUntil(room.state.ends_at) / 1000);
  writeLine("quiz-foot", words.nextWords(room, seconds) || words.absenceWords(room));
}

function drawOver(app) {
  const { room, isJoining, poolKey } = app;
  drawRematch(app);
  const [title, text] = duelResult(room, app.opponents);
  const board = room.state.leaderboard ?? [];
  const ownId = room.state.participant_id;
  write("over-title", title);
  writeLine("over-text", text);
  element("standing").hidden = board.length === 0;
  drawBoard("standing", board, { ownId });
  writeLine("rating-change", ratingWords(placeOf(board, ownId)));
  element("again").disabled = isJoining || !maySearch(app);
  writeLine("again-party", partySearchWords(app));
  setText(element("again"), isJoining ? "Joining the queue…" : "Find another match");
  element("to-lobby").hidden = !poolKey;
}

// --- the connection, and those who listen

function drawConnection(app) {
  const client = bannerClient(app);
  drawBanner(client, client && client === app.room?.client ? app.room.graceLeft() : null);
}

/** The socket that the player would miss most. @param {App} app */
export function bannerClient({ client, room }) {
  return room && !room.ending && room.client.state !== "open" ? room.client : client;
}

function spokenWords(app, screen) {
  const lost = bannerWords(bannerClient(app))[0];
  if (lost) return lost;
  return [incomingSpoken(app, screen), screenSpoken(app, screen)].filter(Boolean).join(" ");
}

function screenSpoken(app, screen) {
  if (screen === "challenge") return wordsOf(app).join(". ");
  if (screen === "lobby") return words.noticeText(app.matchmaking.notice);
  if (screen === "search") return searchSpoken(app);
  if (screen === "room") return words.roomWords(app.room, app.opponents).join(" ");
  if (screen === "quiz") return quizSpoken(app.room.state, verdictOf(app.room)[1]);
  if (screen !== "over") return "";
  const { text } = rematchWords(app.matchmaking.challenges, app.room.state.session?.match_id);
  return [...duelResult(app.room, app.opponents), text].join(" ");
}

function searchSpoken(app) {
  const { notice, match } = app.matchmaking;
  const said = [words.noticeText(notice), ...words.searchWords(app.matchmaking, true, hasAccepted(app))];
  return [...said, match?.stage === "accepting" ? words.readyCount(match) : ""].join(" ").trim();
}
