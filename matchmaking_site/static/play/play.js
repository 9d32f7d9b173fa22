/** The page at `/`: signs in, keeps the sockets, and redraws when something has changed. */

import { matchmakingClient } from "../realtime/sockets.js";
import { followPage } from "../realtime/page.js";
import { CLOSE_CODES } from "../realtime/protocol.js";
import { MATCHMAKING, reduce } from "../realtime/state.js";
import { logInAsGuest } from "./api.js";
import { Identity, isToken } from "./identity.js";
import { Room } from "./room.js";
import { bannerClient, draw, element, screenOf, tick, writeLine } from "./view.js";

const POOLS_EVERY_MS = 10_000;
const WHY_EVERY_MS = 4_000;
// In a large pool a look is dear, and who waits there does not wait for long.
const LARGE_POOL = 200;
const WHY_IN_LARGE_POOLS = 0.1;
const TICK_MS = 250;

/**
 * @typedef {object} App
 * @property {Identity} identity
 * @property {import("../realtime/client.js").SocketClient | null} client
 * @property {typeof MATCHMAKING} matchmaking
 * @property {Room | null} room
 * @property {string | null} doneSessionId the room that the player has put behind
 * @property {any[] | null} pools
 * @property {string | null} poolKey where the player queued last
 * @property {boolean} isJoining
 * @property {any | null} explanation why the ticket is not matched yet, when last asked
 */

/** @type {App} */
const app = {
  identity: new Identity(),
  client: null,
  matchmaking: MATCHMAKING,
  room: null,
  doneSessionId: null,
  pools: null,
  poolKey: null,
  isJoining: false,
  explanation: null,
};
let unfollow = () => {};
let renewals = 0;

// --- signing in

function enter() {
  const { identity } = app;
  app.client = matchmakingClient({
    origin: location.origin,
    lastSeq: identity.lastSeq,
    getToken: (wish) => identity.token(wish),
  });
  app.client.addEventListener("message", ({ detail }) => hear(detail));
  app.client.addEventListener("state", followConnection);
  unfollow = followPage(app.client);
  app.client.connect();
  loadPools();
}

function leave(reason = "") {
  unfollow();
  app.client?.close();
  app.room?.close();
  app.identity.forget();
  Object.assign(app, { client: null, matchmaking: MATCHMAKING, room: null, pools: null });
  writeLine("welcome-note", reason);
  draw(app);
}

async function signInAsGuest() {
  const name = element("display-name").value.trim();
  if (!name) return refuse("display-name", "guest-error", "Please type a name.");
  refuse("display-name", "guest-error", "");
  element("guest-submit").disabled = true;
  try {
    app.identity.take({ ...(await logInAsGuest(name)), name });
    enter();
    draw(app);
  } catch (error) {
    if (error.status === 404) askForToken();
    else refuse("display-name", "guest-error", error.message);
  } finally {
    element("guest-submit").disabled = false;
  }
}

function askForToken() {
  element("guest-form").hidden = true;
  element("token-form").hidden = false;
  element("token").focus();
}

function signInByToken() {
  const access = element("token").value.trim();
  if (!isToken(access)) return refuse("token", "token-error", "This does not look like a token.");
  refuse("token", "token-error", "");
  app.identity.take({ access });
  enter();
  draw(app);
}

function refuse(field, line, text) {
  writeLine(line, text);
  element(field).setAttribute("aria-invalid", String(text !== ""));
  if (text) element(field).focus();
}

// --- what the server says

function hear(message) {
  app.matchmaking = reduce(app.matchmaking, message);
  app.identity.lastSeq = app.client.lastSeq;
  app.poolKey = app.matchmaking.ticket?.pool_key ?? app.matchmaking.match?.pool_key ?? app.poolKey;
  enterRoom();
  draw(app);
}

function enterRoom() {
  const { session_id: sessionId } = app.matchmaking;
  if (!sessionId || sessionId === app.doneSessionId || sessionId === app.room?.sessionId) return;
  app.room?.close();
  const room = new Room(sessionId, app.identity);
  app.room = room;
  room.addEventListener("change", () => draw(app));
  room.addEventListener("end", () => {
    writeLine("over-error", "");
    app.client?.resync();
    draw(app);
  });
  room.open();
}

async function followConnection() {
  const { client, identity } = app;
  if (client.state === "open") renewals = 0;
  if (client.closeCode === CLOSE_CODES.NOT_AUTHENTICATED && client.state === "closed") {
    const isRenewed = renewals++ === 0 && (await identity.token({ fresh: true }).catch(() => ""));
    if (isRenewed) client.connect();
    else leave("Your sign-in is not valid any more. Please sign in again.");
    return;
  }
  draw(app);
}

async function loadPools() {
  try {
    const { results, pools } = await app.identity.call("GET", "/v1/matchmaking/pools");
    app.pools = results ?? pools;
    writeLine("lobby-error", "");
  } catch (error) {
    if (app.pools === null) writeLine("lobby-error", error.message);
  }
  draw(app);
}

async function askWhy() {
  const { ticket } = app.matchmaking;
  if (ticket?.status !== "SEARCHING" || app.client?.state !== "open") return;
  if (app.matchmaking.waiting > LARGE_POOL && Math.random() > WHY_IN_LARGE_POOLS) return;
  try {
    app.explanation = await app.identity.call("GET", `/v1/matchmaking/queue/${ticket.queue_entry_id}/explain`);
  } catch {
    app.explanation = null; // the rest of the page says what is wrong
  }
  draw(app);
}

// --- what the player does

async function join(poolKey, errorLine) {
  if (app.isJoining) return;
  app.isJoining = true;
  writeLine(errorLine, "");
  draw(app);
  try {
    await app.client.request("join_queue", { pool_key: poolKey });
    forgetRoom();
  } catch (error) {
    writeLine(errorLine, error.message);
    app.client?.resync();
  } finally {
    app.isJoining = false;
    draw(app);
  }
}

function forgetRoom() {
  if (!app.room) return;
  app.doneSessionId = app.room.sessionId;
  app.room = null;
}

async function attempt(button, errorLine, action) {
  button.disabled = true;
  writeLine(errorLine, "");
  try {
    await action();
  } catch (error) {
    writeLine(errorLine, error.message);
  } finally {
    button.disabled = false;
  }
}

function onSubmit(id, action) {
  element(id).addEventListener("submit", (event) => {
    event.preventDefault();
    action();
  });
}

onSubmit("guest-form", signInAsGuest);
onSubmit("token-form", signInByToken);
onSubmit("lobby-form", () => join(new FormData(element("lobby-form")).get("pool_key"), "lobby-error"));
element("sign-out").addEventListener("click", () => leave());
element("leave-queue").addEventListener("click", ({ target }) =>
  attempt(target, "search-error", () => app.client.request("leave_queue")),
);
element("leave-game").addEventListener("click", ({ target }) => attempt(target, "room-error", () => app.room.leave()));
element("again").addEventListener("click", () => join(app.poolKey ?? app.pools?.[0]?.pool_key, "over-error"));
element("to-lobby").addEventListener("click", () => {
  forgetRoom();
  loadPools();
  draw(app);
});
element("banner-action").addEventListener("click", () => bannerClient(app).connect());

setInterval(() => document.hidden || tick(app), TICK_MS);
setInterval(() => document.hidden || askWhy(), WHY_EVERY_MS);
setInterval(() => document.hidden || (screenOf(app) === "lobby" && loadPools()), POOLS_EVERY_MS);

if (app.identity.isKnown) enter();
draw(app);
