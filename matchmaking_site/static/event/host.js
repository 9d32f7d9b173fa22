/** The pages `/host` and `/host/{session_id}`: make an event, and drive it. */

import { element, onClick, onSubmit, part, refuse, writeLine } from "../shared/dom.js";
import { ask, soon } from "../shared/frame.js";
import { Identity } from "../shared/identity.js";
import { Room } from "../shared/room.js";
import { listenForSignIn } from "../shared/sign-in.js";
import { keepEvent, keptEvents } from "./events.js";
import { draw as drawNow, tick } from "./host-view.js";
import { questionFaults, questionsIn } from "./words.js";

const TICK_MS = 250;
const ANSWERED_EVERY_MS = 1000;
const GRACE_SECONDS = Number(document.body.dataset.graceSeconds);

/**
 * @typedef {object} App
 * @property {Identity} identity
 * @property {boolean} isLooking is it not known yet who this tab is?
 * @property {string} sessionId of the event in the address, empty without one
 * @property {{key: string, title: string, questions: number}[] | null} sets
 * @property {Room | null} room
 * @property {string | null} qr the address of the picture; null before it is asked for, empty before it is there
 * @property {number | null} answered how many have answered the open question, when last asked
 * @property {boolean} isBusy is something on its way to the server?
 */

/** @type {App} */
const app = {
  identity: new Identity(),
  isLooking: true,
  sessionId: "",
  sets: null,
  room: null,
  qr: null,
  answered: null,
  isBusy: false,
};
const draw = soon(() => drawNow(app));

// --- the address

/** Begin anew from what the address says. */
async function begin() {
  app.room?.close();
  if (app.qr) URL.revokeObjectURL(app.qr);
  const sessionId = location.pathname.split("/")[2] ?? "";
  Object.assign(app, { sessionId, room: null, qr: null, answered: null });
  const owner = keptEvents().find((one) => one.session_id === sessionId)?.identity;
  if (!app.identity.isKnown || (owner && owner !== app.identity.id)) await app.identity.restore(owner);
  app.isLooking = false;
  if (app.identity.isKnown) enter();
  drawNow(app);
}

function enter() {
  writeLine("welcome-note", "");
  if (app.sessionId) openRoom(app.sessionId);
  else loadSets();
  draw();
}

function leave(reason = "") {
  app.room?.close();
  app.room = null;
  app.identity.forget();
  writeLine("welcome-note", reason);
  draw();
}

// --- making an event

async function loadSets() {
  try {
    app.sets = (await app.identity.call("GET", "/v1/sessions/question-sets")).results;
    writeLine("create-error", "");
  } catch (error) {
    if (error.status === 401) return leave("Your sign-in is not valid any more. Please sign in again.");
    writeLine("create-error", error.message);
  }
  draw();
}

async function create() {
  const title = element("event-title").value.trim();
  tellFaults([]);
  writeLine("create-error", "");
  refuse("event-title", "event-title-error", title ? "" : "Please type a title.");
  if (!title) return;
  const questions = await chosenQuestions();
  if (questions === null) return;
  element("create-submit").disabled = true;
  try {
    const made = await app.identity.call("POST", "/v1/sessions", { title, ...questions });
    keepEvent({ session_id: made.session_id, title, join_code: made.join_code, identity: app.identity.id, made_at: Date.now() });
    history.pushState(null, "", `/host/${made.session_id}`);
    await begin();
  } catch (error) {
    tellRefusal(error);
  } finally {
    element("create-submit").disabled = false;
  }
}

/** @returns {Promise<{question_set: string} | {questions: unknown} | null>} null where they cannot be read */
async function chosenQuestions() {
  const key = new FormData(element("create-form")).get("question_set");
  if (key) return { question_set: String(key) };
  const [file] = element("file").files;
  if (!file) {
    tellFaults(["Please choose a file with questions."]);
    return null;
  }
  try {
    return { questions: questionsIn(await file.text()) };
  } catch (error) {
    tellFaults([`${file.name} is not JSON: ${error.message}`]);
    return null;
  }
}

/** @param {any} problem */
function tellRefusal({ errors = {}, message }) {
  const faults = questionFaults(errors);
  if (errors.title) refuse("event-title", "event-title-error", errors.title.join(" "));
  tellFaults(faults);
  if (!faults.length && !errors.title) writeLine("create-error", message);
}

/** @param {string[]} faults */
function tellFaults(faults) {
  element("questions-error").hidden = faults.length === 0;
  element("questions-error").replaceChildren(...faults.map((fault) => part("li", "", fault)));
}

// --- the event

/** @param {string} sessionId */
function openRoom(sessionId) {
  app.room?.close();
  const room = new Room(sessionId, app.identity, { graceSeconds: GRACE_SECONDS });
  app.room = room;
  let asked = "";
  room.addEventListener("change", () => {
    const { question, phase } = room.state;
    const isNew = asked !== `${phase} ${question?.question_id}`;
    asked = `${phase} ${question?.question_id}`;
    if (isNew) app.answered = phase === "question" ? (room.state.answered ?? 0) : null;
    if (room.state.restored && app.qr === null) loadQr(room);
    draw();
  });
  room.addEventListener("end", () => {
    if (room.ending === "signed_out") leave("Your sign-in is not valid any more. Please sign in again.");
    draw();
  });
  room.open();
}

/** A picture behind a token: an image element alone could not fetch it. @param {Room} room */
async function loadQr(room) {
  app.qr = "";
  try {
    const answer = await app.identity.ask("GET", `/v1/sessions/${room.sessionId}/qr.svg`);
    const picture = await answer.blob();
    if (app.room === room) app.qr = URL.createObjectURL(picture);
  } catch {
    // The code and the address are there to be typed.
  }
  draw();
}

/** Ask the server for something; a refusal is told in the bar. @param {() => Promise<unknown>} action */
async function drive(action) {
  if (app.isBusy) return;
  app.isBusy = true;
  writeLine("host-error", "");
  drawNow(app);
  try {
    await action();
  } catch (error) {
    // The deadline was faster than the click: what the screen shows next is what was wanted.
    if (error.code !== "phase_changed") writeLine("host-error", error.message);
    app.room?.client.resync();
  } finally {
    app.isBusy = false;
    drawNow(app);
  }
}

/** @param {string} verb @param {unknown} [body] */
function post(verb, body) {
  return app.identity.call("POST", `/v1/sessions/${app.sessionId}/${verb}`, body);
}

/** What is on this screen shall go on, and nothing that has come since. */
function next() {
  const { phase, question } = /** @type {Room} */ (app.room).state;
  return post("next", { phase, number: question?.number ?? 0 });
}

async function finish() {
  const words = { title: "Finish the event?", text: "Everybody sees the result, and nobody can answer any more.", yes: "Finish" };
  if (await ask(words)) drive(() => post("finish"));
}

let isAsking = false;

async function askAnswered() {
  const { room } = app;
  if (isAsking || room?.state.phase !== "question" || room.client.state !== "open") return;
  isAsking = true;
  const asked = room.state.question.question_id;
  const state = await app.identity.call("GET", `/v1/sessions/${room.sessionId}`).catch(() => null);
  isAsking = false;
  if (state?.question?.question_id !== asked || room.state.question?.question_id !== asked) return;
  app.answered = state.answered ?? app.answered;
  draw();
}

listenForSignIn(app.identity, enter);
onSubmit("create-form", create);
element("create-form").addEventListener("change", () => draw());
onClick("sign-out", () => leave());
onClick("next", () => drive(next));
onClick("lock", () => drive(() => post(app.room?.state.locked ? "unlock" : "lock")));
onClick("finish", finish);
onClick("banner-action", () => app.room?.client.connect());
window.addEventListener("popstate", begin);

setInterval(() => document.hidden || tick(app), TICK_MS);
setInterval(() => document.hidden || askAnswered(), ANSWERED_EVERY_MS);

begin();
