/** The page at `/`: signs in, keeps the sockets, and redraws when something has changed. */

import { followPage } from "../realtime/page.js";
import { CLOSE_CODES } from "../realtime/protocol.js";
import { isRefusal } from "../realtime/retry.js";
import { matchmakingClient } from "../realtime/sockets.js";
import { MATCHMAKING } from "../realtime/state.js";
import { listenForAnswers } from "../quiz/view.js";
import { Actions } from "../shared/actions.js";
import { attempt, element, onClick, onSubmit, writeLine } from "../shared/dom.js";
import { ask } from "../shared/frame.js";
import { Identity } from "../shared/identity.js";
import { Room } from "../shared/room.js";
import { listenForSignIn } from "../shared/sign-in.js";
import { listenForChallenges, loadRecent, newsOfChallenges } from "./challenges.js";
import { refusalWords } from "./challenge-words.js";
import { closeOpened, isWaiting, listenForOpened, loadOpened, openedByAddress } from "./opened.js";
import { hearOfParties, listenForParty, loadInvitations, newsOfParties } from "./party.js";
import { partyRefusal } from "./party-words.js";
import { listenForRatings, loadRatings } from "./ratings.js";
import { listenForReady } from "./ready.js";
import { bannerClient, draw, screenOf, tick } from "./view.js";

const POOLS_EVERY_MS = 10_000;
const OPENED_EVERY_MS = 5_000;
const NEWS_MS = 20_000;
const WHY_EVERY_MS = 4_000;
// In a large pool a look is dear, and who waits there does not wait for long.
const LARGE_POOL = 200;
const WHY_IN_LARGE_POOLS = 0.1;
const TICK_MS = 250;
const GRACE_SECONDS = Number(document.body.dataset.graceSeconds);

/**
 * @typedef {object} App
 * @property {Identity} identity
 * @property {boolean} isLooking is it not known yet who this tab is?
 * @property {import("../realtime/client.js").SocketClient | null} client
 * @property {typeof MATCHMAKING} matchmaking
 * @property {Room | null} room
 * @property {string | null} doneSessionId the room that the player has put behind
 * @property {any[] | null} pools
 * @property {string | null} poolKey where the player queued last
 * @property {boolean} isJoining
 * @property {any | null} explanation why the ticket is not matched yet, when last asked
 * @property {Actions} actions what is done about challenges, and about a ready check
 * @property {Actions} partyActions what is done about parties
 * @property {string} invited what became of the player's last invitation
 * @property {import("../realtime/types.js").Party[]} kept parties that had invited the player before a reload
 * @property {Set<string>} declined the ids of those that it does not want to join
 * @property {string | null} acceptedId the match that the player has accepted in its ready check
 * @property {readonly {display_name: string}[]} opponents those of the match that the room is of
 * @property {string} news what others have done about a challenge or the party, for a while
 * @property {{user_id: string, display_name: string}[] | null} recent whom the player has met lately
 * @property {import("./opened.js").Opened | null} opened the challenge whose link brought the player here
 * @property {import("./ratings.js").Ratings} ratings
 */

/** @type {App} */
const app = {
  identity: new Identity(),
  isLooking: true,
  client: null,
  matchmaking: MATCHMAKING,
  room: null,
  doneSessionId: null,
  pools: null,
  poolKey: null,
  isJoining: false,
  explanation: null,
  actions: new Actions(() => draw(app), refusalWords),
  partyActions: new Actions(() => draw(app), partyRefusal),
  invited: "",
  kept: [],
  declined: new Set(),
  acceptedId: null,
  opponents: [],
  news: "",
  recent: null,
  opened: openedByAddress(),
  ratings: { list: null, points: new Map() },
};
const redraw = () => draw(app);
let unfollow = () => {};
let isRenewing = false;
let newsTimer = 0;

// --- signing in

/** Nothing is drawn before it is known who this is: that is soon, and a screen that flashes by takes the focus. */
async function begin() {
  await app.identity.restore();
  app.isLooking = false;
  if (app.identity.isKnown) enter();
  draw(app);
}

function enter() {
  const { identity } = app;
  app.client = matchmakingClient({
    origin: location.origin,
    lastSeq: identity.lastSeq,
    getToken: (wish) => identity.token(wish),
  });
  app.client.addEventListener("message", hear);
  app.client.addEventListener("state", followConnection);
  unfollow = followPage(app.client);
  app.client.connect();
  loadPools();
  loadRatings(app, redraw);
  loadOpened(app, redraw);
  loadInvitations(app, redraw);
  draw(app);
}

function leave(reason = "") {
  unfollow();
  app.client?.close();
  app.room?.close();
  app.identity.forget();
  isRenewing = false;
  Object.assign(app, { client: null, matchmaking: MATCHMAKING, room: null, pools: null, news: "", recent: null, kept: [], invited: "" });
  app.ratings = { list: null, points: new Map() };
  writeLine("welcome-note", reason);
  draw(app);
}

// --- what the server says

function hear({ detail: message }) {
  const { party } = app.matchmaking;
  app.matchmaking = app.client.known;
  hearOfParties(app, message, party);
  tell(newsOfChallenges(app, message) || newsOfParties(app, message, party));
  app.identity.lastSeq = app.client.lastSeq;
  app.poolKey = app.matchmaking.ticket?.pool_key ?? app.matchmaking.match?.pool_key ?? app.poolKey;
  enterRoom();
  draw(app);
}

/** Tell for a while what others have done. @param {string} news */
function tell(news) {
  if (!news) return;
  app.news = news;
  clearTimeout(newsTimer);
  newsTimer = setTimeout(() => {
    app.news = "";
    draw(app);
  }, NEWS_MS);
}

function enterRoom() {
  const { session_id: sessionId } = app.matchmaking;
  if (!sessionId || sessionId === app.doneSessionId || sessionId === app.room?.sessionId) return;
  app.room?.close();
  closeOpened(app);
  app.news = "";
  const room = new Room(sessionId, app.identity, { graceSeconds: GRACE_SECONDS, fromStart: true });
  app.room = room;
  app.opponents = app.matchmaking.match?.opponents ?? [];
  room.addEventListener("change", () => draw(app));
  room.addEventListener("end", () => {
    writeLine("over-error", "");
    app.client?.resync();
    loadRatings(app, redraw);
    loadRecent(app, redraw);
    draw(app);
  });
  room.open();
}

/** A token that is refused is renewed once, by connecting again; where there is no other one, that was it. */
function followConnection() {
  const { client } = app;
  if (client.state === "open") isRenewing = false;
  const isRefused = client.state === "closed" && client.closeCode === CLOSE_CODES.NOT_AUTHENTICATED;
  if (isRefusal(client.tokenError) || (isRefused && isRenewing)) {
    leave("Your sign-in is not valid any more. Please sign in again.");
  } else if (isRefused) {
    isRenewing = true;
    client.connect();
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
    const { party } = app.matchmaking;
    await app.client.joinQueue({ pool_key: poolKey, ...(party && { party_id: party.party_id }) });
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

async function leaveGame({ currentTarget: button }) {
  const errorLine = button.closest("#screen-quiz") ? "quiz-error" : "room-error";
  const words = { title: "Leave the game?", text: "Who leaves loses, and there is no way back.", yes: "Leave and lose" };
  if (await ask(words)) attempt(button, errorLine, () => app.room.leave());
}

listenForSignIn(app.identity, enter);
listenForChallenges(app, redraw);
listenForOpened(app, redraw);
listenForRatings(app, redraw);
listenForReady(app);
listenForParty(app, redraw);
listenForAnswers(() => (screenOf(app) === "quiz" ? app.room : null));
onSubmit("lobby-form", () => join(new FormData(element("lobby-form")).get("pool_key"), "lobby-error"));
onClick("sign-out", () => leave());
onClick("leave-queue", ({ target }) => attempt(target, "search-error", () => app.client.leaveQueue()));
onClick("again", () => join(app.poolKey ?? app.pools?.[0]?.pool_key, "over-error"));
onClick("to-lobby", () => {
  forgetRoom();
  loadPools();
  draw(app);
});
onClick("banner-action", () => bannerClient(app)?.connect());
for (const button of document.querySelectorAll("[data-leave]")) button.addEventListener("click", leaveGame);

setInterval(() => document.hidden || tick(app), TICK_MS);
setInterval(() => document.hidden || askWhy(), WHY_EVERY_MS);
setInterval(() => document.hidden || (screenOf(app) === "lobby" && loadPools()), POOLS_EVERY_MS);
setInterval(() => document.hidden || (screenOf(app) === "challenge" && isWaiting(app) && loadOpened(app, redraw)), OPENED_EVERY_MS);

begin();
