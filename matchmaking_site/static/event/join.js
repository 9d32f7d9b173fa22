/** The pages `/join` and `/join/{code}`: find an event, take a place, and play from it. */

import { listenForAnswers } from "../quiz/view.js";
import { call } from "../realtime/rest.js";
import { attempt, element, onClick, onSubmit, refuse, writeLine } from "../shared/dom.js";
import { ask, soon } from "../shared/frame.js";
import { Room } from "../shared/room.js";
import { draw as drawNow, screenOf, tick } from "./join-view.js";
import { Place } from "./place.js";
import { ScanScreen } from "./scan-screen.js";
import { cleanCode, codeFault, isOfName, refusalWords } from "./words.js";

const LOOK_EVERY_MS = 2000;
const TICK_MS = 250;
const GRACE_SECONDS = Number(document.body.dataset.graceSeconds);

/**
 * @typedef {object} App
 * @property {string} code of the event in the address, empty without one
 * @property {boolean} isScanning
 * @property {{session_id: string, title: string, phase: string, locked: boolean, attempt: string} | null} look
 *   what the event looked like last
 * @property {{attempt: string, at: number} | null} stamp the newest one got while joining was open
 * @property {Place | null} place
 * @property {Room | null} room
 * @property {ScanScreen} scanScreen
 */

/** @type {App} */
const app = {
  code: "",
  isScanning: false,
  look: null,
  stamp: null,
  place: null,
  room: null,
  scanScreen: new ScanScreen((code) => go(code)),
};
const draw = soon(() => drawNow(app));

// --- the address

/** Begin anew from what the address says. */
function begin() {
  app.room?.close();
  const code = cleanCode(location.pathname.split("/")[2] ?? "");
  Object.assign(app, { code, isScanning: false, look: null, stamp: null, place: code ? Place.kept(code) : null, room: null });
  app.scanScreen.show(false);
  writeLine("name-error", "");
  writeLine("name-problem", "");
  if (app.place) enter(app.place);
  else if (code) lookAt(code);
  drawNow(app);
}

/** @param {string} code */
function go(code) {
  writeLine("code-note", "");
  history.pushState(null, "", code ? `/join/${code}` : "/join");
  begin();
}

/** Back to the code, with a word on what was wrong with this one. @param {string} note */
function turnAway(note) {
  history.replaceState(null, "", "/join");
  begin();
  writeLine("code-note", note);
}

// --- looking at an event

/** @param {string} code */
async function lookAt(code) {
  try {
    const look = await call("GET", `/v1/sessions/by-code/${encodeURIComponent(code)}`);
    if (code !== app.code || app.room) return;
    app.look = look;
    app.isStruggling = false;
    // A stamp says that joining began before the host locked it: one got later would say nothing.
    if (!look.locked) app.stamp = { attempt: look.attempt, at: Date.now() };
    writeLine("name-problem", "");
  } catch (error) {
    if (code !== app.code || app.room) return;
    app.isStruggling = true;
    if (error.status === 404) return turnAway(`There is no event with the code ${code}.`);
    if (app.look) writeLine("name-problem", error.message);
    else return turnAway(error.message);
  }
  draw();
}

/** One look after the other, not all phones at the same moment, and none beside a join, which is to come first. */
function planLook() {
  const pause = LOOK_EVERY_MS * (0.75 + Math.random() / 2) * (app.isStruggling ? 4 : 1);
  setTimeout(async () => {
    const isSeen = !document.hidden && screenOf(app) === "name" && !element("name-submit").disabled;
    if (isSeen) await lookAt(app.code);
    planLook();
  }, pause);
}

async function join() {
  const name = element("name").value.trim();
  if (!name) return refuse("name", "name-error", "Please type a name.");
  refuse("name", "name-error", "");
  writeLine("name-problem", "");
  element("name-submit").disabled = true;
  try {
    enter(await Place.join(app.code, { name, attempt: app.stamp?.attempt ?? app.look?.attempt ?? null }));
  } catch (error) {
    if (isOfName(error)) refuse("name", "name-error", refusalWords(error));
    else writeLine("name-problem", refusalWords(error));
    lookAt(app.code);
  } finally {
    element("name-submit").disabled = false;
  }
}

// --- in the event

/** @param {Place} place */
function enter(place) {
  const room = new Room(place.sessionId, place, { graceSeconds: GRACE_SECONDS });
  Object.assign(app, { place, room });
  room.addEventListener("change", () => {
    keepName(room);
    draw();
  });
  room.addEventListener("end", () => {
    if (room.ending !== "finished") place.forget();
    draw();
  });
  room.open();
  draw();
}

function keepName(room) {
  const own = room.state.participants.find((one) => one.participant_id === room.state.participant_id);
  if (own) app.place?.renamed(own.display_name);
}

/** @param {boolean} isOpen */
function openRename(isOpen) {
  element("rename-form").hidden = !isOpen;
  element("me").hidden = isOpen;
  writeLine("rename-error", "");
  if (!isOpen) return element("rename").focus();
  element("new-name").value = app.place?.name ?? "";
  element("new-name").select();
}

async function rename() {
  const name = element("new-name").value.trim();
  if (!name) return refuse("new-name", "rename-error", "Please type a name.");
  try {
    await app.room?.rename(name);
    openRename(false);
  } catch (error) {
    refuse("new-name", "rename-error", refusalWords(error));
  }
}

async function leave({ currentTarget: button }) {
  const errorLine = button.closest("#screen-quiz") ? "quiz-error" : "room-error";
  const words = { title: "Leave the event?", text: "Your score stays behind.", yes: "Leave" };
  if (await ask(words)) attempt(button, errorLine, () => /** @type {Room} */ (app.room).leave());
}

// --- what people do

onSubmit("code-form", () => {
  const code = cleanCode(element("code").value);
  const fault = codeFault(code);
  refuse("code", "code-error", fault);
  if (!fault) go(code);
});
onSubmit("name-form", join);
onSubmit("rename-form", rename);
onClick("scan", () => {
  app.isScanning = true;
  app.scanScreen.show(true);
  draw();
});
onClick("type-code", () => {
  app.isScanning = false;
  app.scanScreen.show(false);
  drawNow(app);
  element("code").focus();
});
onClick("other-code", (event) => {
  event.preventDefault();
  go("");
});
onClick("over-again", (event) => {
  event.preventDefault();
  go(app.room?.ending === "finished" || app.room?.ending === "gone" ? "" : app.code);
});
onClick("rename", () => openRename(true));
onClick("rename-cancel", () => openRename(false));
onClick("banner-action", () => app.room?.client.connect());
for (const button of document.querySelectorAll("[data-leave]")) button.addEventListener("click", leave);
listenForAnswers(() => (screenOf(app) === "quiz" ? app.room : null));
window.addEventListener("popstate", begin);

setInterval(() => document.hidden || tick(app), TICK_MS);
planLook();

begin();
