/** The pages to join an event and to be in it, drawn from what is known. */

import { eventResult, placeWords, quizSpoken } from "../quiz/words.js";
import { drawBoard, drawQuiz, tickQuiz, verdictOf } from "../quiz/view.js";
import { element, write, writeLine } from "../shared/dom.js";
import { drawBanner, drawWho, setTitle, show, speak } from "../shared/frame.js";
import { bannerWords } from "../shared/words.js";
import { People } from "./people.js";
import * as words from "./words.js";

const SHOWN_PEOPLE = 60;
const SHOWN_PLACES = 10;
const SHOWN_AT_THE_END = 20;

const people = new People(element("people"), SHOWN_PEOPLE);

/** @typedef {import("./join.js").App} App */

/** @param {App} app */
export function screenOf({ room, code, look, isScanning }) {
  if (room?.ending) return "over";
  if (room) return roomScreen(room.state);
  if (isScanning) return "scan";
  if (!code) return "code";
  return look ? "name" : "restoring";
}

function roomScreen({ restored, question, phase }) {
  if (!restored) return "restoring";
  return question && phase !== "lobby" ? "quiz" : "room";
}

const DRAW = { restoring: drawRestoring, name: drawName, room: drawLobby, quiz: drawQuestion, over: drawOver };

/** @param {App} app */
export function draw(app) {
  const screen = screenOf(app);
  const name = ownName(app);
  setTitle(app.room?.state.session?.title || app.look?.title || (app.place ? "Restoring session…" : "Join an event"));
  drawWho(name, app.room && !app.room.ending ? app.room.client : null);
  DRAW[screen]?.(app);
  show(screen);
  drawConnection(app);
  speak(spokenWords(app, screen));
}

/** Only what the clock moves. @param {App} app */
export function tick(app) {
  const screen = screenOf(app);
  if (screen === "quiz") tickQuiz(app.room);
  if (screen === "name") drawJoinNote(app);
  drawConnection(app);
}

/** @param {App} app */
function ownName({ room, place }) {
  if (!room) return "";
  const own = room.state.participants.find((one) => one.participant_id === room.state.participant_id);
  return own?.display_name ?? place?.name ?? "";
}

// --- joining

/** Who has a place comes back to it; who has none yet only looks. */
function drawRestoring({ place }) {
  write("restoring-title", place ? "Restoring session…" : "Looking for the event…");
  element("restoring-text").hidden = !place;
}

function drawName(app) {
  write("name-phase", words.phaseWords(app.look));
  write("name-title", app.look.title);
  drawJoinNote(app);
}

function drawJoinNote({ look, stamp }) {
  const [mayJoin, note] = words.joinNote(look, stamp && Date.now() - stamp.at);
  element("name-form").hidden = !mayJoin;
  writeLine("name-note", note);
}

// --- in the event

function drawLobby(app) {
  const { state, client } = app.room;
  write("room-eyebrow", words.peopleWords(state.participants));
  write("room-title", state.session.title);
  write("room-text", words.lobbyWords(state, client.state === "open"));
  write("me-name", ownName(app));
  element("lock-note").hidden = !state.locked;
  write("people-title", "Who is here");
  writeLine("people-more", words.moreWords(people.draw(state.participants, state.participant_id)));
}

function drawQuestion({ room }) {
  const { phase, leaderboard, participant_id: ownId } = room.state;
  drawQuiz(room);
  element("board-card").hidden = phase !== "leaderboard" || !leaderboard;
  drawBoard("board", leaderboard ?? [], { ownId, limit: SHOWN_PLACES });
  writeLine("quiz-foot", footWords(room));
}

function footWords({ state, board }) {
  if (state.phase !== "leaderboard") return state.score ? `You have ${state.score} points.` : "";
  return placeWords(state.leaderboard ?? board, state.participant_id);
}

function drawOver({ room }) {
  const [title, text] = eventResult(room);
  const board = room.ending === "finished" ? (room.state.leaderboard ?? []) : [];
  write("over-eyebrow", room.state.session?.title ?? "Event");
  write("over-title", title);
  writeLine("over-text", text);
  element("final-card").hidden = board.length === 0;
  drawBoard("final", board, { ownId: room.state.participant_id, limit: SHOWN_AT_THE_END });
  const canReturn = room.ending !== "finished" && room.ending !== "gone";
  write("over-again", canReturn ? "Join again" : "Join another event");
}

function drawConnection({ room }) {
  drawBanner(room && !room.ending ? room.client : null, room?.graceLeft() ?? null);
}

function spokenWords(app, screen) {
  const lost = app.room && !app.room.ending ? bannerWords(app.room.client)[0] : "";
  if (lost) return lost;
  if (screen === "scan") return app.scanScreen.words;
  if (screen === "name") return words.joinNote(app.look, null)[1];
  if (screen === "room") return words.lobbyWords(app.room.state, true);
  if (screen === "quiz") return quizSpoken(app.room.state, [verdictOf(app.room)[1], footOf(app.room)].join(" ").trim());
  return screen === "over" ? eventResult(app.room).join(" ") : "";
}

/** One's place is news with the leaderboard alone. */
function footOf(room) {
  return room.state.phase === "leaderboard" ? footWords(room) : "";
}
