/** The host's page: making an event, and showing it to a room. */

import { drawBoard, drawQuiz, tickQuiz } from "../quiz/view.js";
import { ordinal, points, quizSpoken } from "../quiz/words.js";
import { drawList, element, fromTemplate, part, setText, write, writeLine } from "../shared/dom.js";
import { drawBanner, drawWho, setTitle, show, speak } from "../shared/frame.js";
import { bannerWords } from "../shared/words.js";
import { keptEvents } from "./events.js";
import { People } from "./people.js";
import * as words from "./words.js";

const SHOWN_PLACES = 10;
const ON_THE_PODIUM = 3;

const people = new People(element("people"));

/** @typedef {import("./host.js").App} App */

/** @param {App} app */
export function screenOf({ identity, isLooking, sessionId, room }) {
  if (isLooking) return "restoring";
  if (!identity.isKnown) return "welcome";
  if (!sessionId) return "create";
  if (room?.ending) return "over";
  if (!room?.state.restored) return "restoring";
  return room.state.question && room.state.phase !== "lobby" ? "quiz" : "room";
}

const DRAW = { create: drawCreate, room: drawRoom, quiz: drawQuestion, over: drawOver };

/** @param {App} app */
export function draw(app) {
  const screen = screenOf(app);
  setTitle(app.sessionId ? (app.room?.state.session?.title ?? "Restoring session…") : "Host an event");
  drawWho(app.identity.name, liveClient(app));
  DRAW[screen]?.(app);
  drawBar(app, screen);
  show(screen);
  drawBanner(liveClient(app));
  speak(spokenWords(app, screen));
}

/** Only what the clock moves. @param {App} app */
export function tick(app) {
  if (screenOf(app) === "quiz") tickQuiz(app.room);
  drawBanner(liveClient(app));
}

function liveClient({ room }) {
  return room && !room.ending ? room.client : null;
}

// --- making an event

function drawCreate({ identity, sets }) {
  write("create-name", identity.name);
  drawRecent();
  drawSets(sets ?? []);
  const isOwn = element("create-form").elements.question_set.value === "";
  element("file-field").hidden = !(isOwn && element("own-set").querySelector("input").checked);
}

function drawRecent() {
  const events = keptEvents();
  element("recent").hidden = events.length === 0;
  drawList(element("recent-list"), events, makeRecent, (item, event) => {
    item.children[0].href = `/host/${event.session_id}`;
    setText(item.children[0], event.title);
    setText(item.children[1], `${event.join_code} · ${new Date(event.made_at).toLocaleString()}`);
  });
}

function makeRecent() {
  const item = document.createElement("li");
  item.append(part("a", ""), part("small", ""));
  return item;
}

function drawSets(sets) {
  const own = element("own-set");
  const known = new Set([...element("sets").querySelectorAll("input")].map((input) => input.value));
  for (const set of sets.filter((/** @type {any} */ one) => !known.has(one.key))) {
    const label = fromTemplate("set-template");
    label.querySelector("input").value = set.key;
    label.querySelector(".pool-name").textContent = set.title || set.key;
    label.querySelector(".pool-facts").textContent = words.questionCount(set.questions);
    own.before(label);
  }
  const first = element("sets").querySelector("input");
  if (!element("sets").querySelector(":checked") && sets.length) first.checked = true;
}

// --- the event

function drawRoom({ room, qr }) {
  const { session, participants, locked } = room.state;
  write("room-title", session.title);
  write("join-code", session.join_code ?? "");
  const link = element("join-url");
  setText(link, words.shortAddress(session.join_url ?? ""));
  if (session.join_url) link.href = session.join_url;
  const image = element("qr");
  image.hidden = !qr;
  if (qr && image.src !== qr) image.src = qr;
  drawLock(locked);
  write("people-title", words.peopleWords(participants));
  people.draw(participants);
  element("nobody").hidden = element("people").children.length > 0;
}

function drawLock(locked) {
  element("lock-note").hidden = !locked;
  document.querySelector(".invitation")?.toggleAttribute("data-locked", locked);
  write("room-eyebrow", locked ? "Joining is locked" : "Join now");
}

function drawQuestion({ room, answered }) {
  const { phase, leaderboard, participants } = room.state;
  drawQuiz(room);
  writeLine("quiz-foot", phase === "question" ? words.answeredWords(answered ?? room.state.answered ?? null, participants) : "");
  element("board-card").hidden = phase !== "leaderboard" || !leaderboard;
  drawBoard("board", leaderboard ?? [], { limit: SHOWN_PLACES });
}

const ENDED = {
  gone: ["This event is not yours", "It may have been made by somebody else, or under another name."],
  out: ["This event is over", ""],
};

function overWords({ ending, state }) {
  if (ending !== "finished") return ENDED[ending] ?? ENDED.out;
  const [first] = state.leaderboard ?? [];
  return [state.session?.title ?? "The result", first ? "" : "Nobody took part."];
}

function drawOver({ room }) {
  const [title, text] = overWords(room);
  const board = room.ending === "finished" ? (room.state.leaderboard ?? []) : [];
  write("over-title", title);
  writeLine("over-text", text);
  drawPodium(board.slice(0, ON_THE_PODIUM));
  element("final-card").hidden = board.length <= ON_THE_PODIUM;
  drawBoard("final", board, { limit: SHOWN_PLACES });
}

function drawPodium(first) {
  element("podium").hidden = first.length === 0;
  drawList(element("podium"), first, makeStep, (item, one, index) => {
    item.dataset.step = String(index + 1);
    item.dataset.rank = String(one.rank);
    setText(item.children[0], ordinal(one.rank));
    setText(item.children[1], one.display_name);
    setText(item.children[2], points(one.score));
  });
}

function makeStep() {
  const item = document.createElement("li");
  item.append(part("span", "podium-rank"), part("span", "podium-name"), part("span", "podium-score"));
  return item;
}

// --- the bar

function drawBar({ room, isBusy }, screen) {
  const isOn = screen === "room" || screen === "quiz";
  element("host-bar").hidden = !isOn;
  if (!isOn) return;
  const { state, client } = room;
  const isOff = isBusy || client.state !== "open";
  write("host-count", [screen === "quiz" && state.session.join_code, words.peopleWords(state.participants)].filter(Boolean).join(" · "));
  write("next", words.nextWords(state));
  write("lock", state.locked ? "Unlock joining" : "Lock joining");
  for (const id of ["next", "lock", "finish"]) element(id).disabled = isOff;
}

function spokenWords(app, screen) {
  const lost = bannerWords(liveClient(app))[0];
  if (lost) return lost;
  if (screen === "room") return app.room.state.locked ? "Joining is locked." : "Joining is open.";
  if (screen === "quiz") return quizSpoken(app.room.state, "");
  return screen === "over" ? overWords(app.room).join(" ") : "";
}
