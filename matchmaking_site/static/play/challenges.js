/** What a player does about challenges: ask, answer, take back, play again. */

import { copyBy } from "../shared/copy.js";
import { element, onClick, onSubmit, refuse } from "../shared/dom.js";
import { endWords, recentOpponents, rematchWords } from "./challenge-words.js";

/** @typedef {import("./play.js").App} App */

const PATH = "/v1/matchmaking/challenges";
const RECENT = 6;
const NEW = "challenge:new";

/** The key of what is done about a challenge. @param {string} id */
export const keyOf = (id) => `challenge:${id}`;
export const REMATCH = "rematch";

/** How long a challenge waits still, by the server's clock. @param {App} app @param {{expires_at: string}} challenge */
export function msLeft({ client }, { expires_at: time }) {
  return Date.parse(time) - (client?.serverNow() ?? Date.now());
}

/** @param {App} app @param {() => void} draw */
export function listenForChallenges(app, draw) {
  onSubmit("challenge-form", () => challengePlayer(app));
  onClick("open-challenge", () => create(app, {}));
  onClick("rematch", () => rematch(app));
  onClick("copy-id", ({ currentTarget }) => copyBy(currentTarget, app.matchmaking.user_id));
  element("recent").addEventListener("click", (event) => choose(event.target.closest("[data-user]")));
  for (const list of ["requests", "outgoing"]) {
    element(list).addEventListener("click", ({ target }) => answerBy(app, target.closest("[data-do]")));
  }
  element("fold-challenge").addEventListener("toggle", () => loadRecent(app, draw));
}

/** A button of a challenge. @param {App} app @param {any} button */
function answerBy(app, button) {
  const challengeId = button?.closest("[data-challenge]")?.dataset.challenge;
  if (!challengeId) return;
  if (button.dataset.do === "copy") copyBy(button, button.dataset.url);
  else answer(app, challengeId, button.dataset.do);
}

/**
 * @param {App} app
 * @param {string} challengeId
 * @param {"accept" | "decline" | "cancel"} verb
 * @returns {Promise<any | null>} the challenge, null where that was refused
 */
export function answer(app, challengeId, verb) {
  return app.actions.run(keyOf(challengeId), async () => {
    try {
      return await app.identity.call("POST", `${PATH}/${encodeURIComponent(challengeId)}/${verb}`);
    } catch (error) {
      app.client?.resync(); // it may have ended without this page knowing
      throw error;
    }
  });
}

async function challengePlayer(app) {
  const opponentId = element("opponent-id").value.trim();
  refuse("opponent-id", "opponent-error", opponentId ? "" : "Whom? Type an id, or choose somebody below.");
  if (opponentId && (await create(app, { opponent_id: opponentId }))) element("opponent-id").value = "";
}

/** @param {App} app @param {{opponent_id?: string}} whom nobody: it is open */
function create(app, whom) {
  const { pool_key, color_preference, expires_in } = Object.fromEntries(new FormData(element("challenge-form")));
  const wish = { ...whom, pool_key, color_preference, expires_in: Number(expires_in) };
  return app.actions.run(NEW, () => app.identity.call("POST", PATH, wish));
}

/** Why the last challenge was not made. @param {App} app */
export function creating(app) {
  return { isUnderWay: app.actions.isUnderWay(NEW), refusal: app.actions.refusal(NEW) };
}

function choose(button) {
  if (!button) return;
  element("opponent-id").value = button.dataset.user;
  refuse("opponent-id", "opponent-error", "");
  element("opponent-id").focus();
}

/** Whom the player has met lately, where that is looked at. @param {App} app @param {() => void} draw */
export async function loadRecent(app, draw) {
  if (!element("fold-challenge").open) return;
  try {
    const { results } = await app.identity.call("GET", "/v1/matchmaking/matches");
    app.recent = recentOpponents(results, app.matchmaking.user_id, RECENT);
  } catch {
    app.recent = []; // a convenience: an id can be typed
  }
  draw();
}

/** Ask to play again, accept that the other one has asked, or take one's own question back. */
async function rematch(app) {
  const matchId = app.room?.state.session?.match_id;
  const { withdraw } = rematchWords(app.matchmaking.challenges, matchId);
  if (withdraw) return answer(app, withdraw, "cancel");
  return app.actions.run(REMATCH, () => app.identity.call("POST", `/v1/matchmaking/matches/${matchId}/rematch`));
}

/** How a challenge ended that somebody else has ended, empty otherwise. @param {App} app @param {any} message */
export function newsOfChallenges({ matchmaking: { user_id: userId } }, { type, data }) {
  return type === "challenge_updated" ? endWords(data, userId) : "";
}
