/**
 * Challenges and rematches over REST; what becomes of them is in `known.challenges` of the queue's client.
 * Every function is rejected with a `Problem`, and takes `origin` where there is no page.
 */

import { call } from "./rest.js";

/** @import { As, Challenge, Page } from "./types.js" */

/**
 * Without `opponent_id` the challenge is open, for whoever opens its `url`. What is left out is the pool's.
 * @typedef {object} ChallengeWish
 * @property {string} [opponent_id]
 * @property {string} [pool_key]
 * @property {string} [mode]
 * @property {string} [time_control]
 * @property {boolean} [rated]
 * @property {"WHITE" | "BLACK" | "RANDOM"} [color_preference] the challenger's
 * @property {number} [expires_in] in seconds
 */

const PATH = "/v1/matchmaking/challenges";

/**
 * @param {ChallengeWish} wish
 * @param {As} as
 * @returns {Promise<Challenge>} codes: `challenge_exists`, `cannot_challenge`, `rate_limited`, `pool_not_found`
 */
export function createChallenge(wish, as) {
  return call("POST", PATH, { ...as, body: wish });
}

/**
 * Accept, which is answered when the game is on.
 * @param {string} challengeId
 * @param {As} as
 * @returns {Promise<Challenge>} codes: `cannot_accept_challenge`, `invalid_challenge_state`, `matchmaking_unavailable`
 */
export function acceptChallenge(challengeId, as) {
  return call("POST", pathOf(challengeId, "/accept"), as);
}

/** @param {string} challengeId @param {As} as who was asked @returns {Promise<Challenge>} */
export function declineChallenge(challengeId, as) {
  return call("POST", pathOf(challengeId, "/decline"), as);
}

/** Take one's own back. @param {string} challengeId @param {As} as who asks @returns {Promise<Challenge>} */
export function cancelChallenge(challengeId, as) {
  return call("POST", pathOf(challengeId, "/cancel"), as);
}

/** @param {string} challengeId @param {As} as one of its players; anybody, where it is open @returns {Promise<Challenge>} */
export function readChallenge(challengeId, as) {
  return call("GET", pathOf(challengeId), as);
}

/** Those to oneself, newest first. @param {As} as @returns {Promise<Page<Challenge>>} */
export function incomingChallenges(as) {
  return call("GET", `${PATH}/incoming`, as);
}

/** One's own, newest first. @param {As} as @returns {Promise<Page<Challenge>>} */
export function outgoingChallenges(as) {
  return call("GET", `${PATH}/outgoing`, as);
}

/**
 * Ask for the same game with colours swapped; where the other one has asked, that accepts it.
 * @param {string} matchId of a match that is over
 * @param {As} as one of its two players
 * @returns {Promise<Challenge>} `PENDING`, or `ACCEPTED` with its `game_id`
 */
export function askForRematch(matchId, as) {
  return call("POST", `/v1/matchmaking/matches/${encodeURIComponent(matchId)}/rematch`, as);
}

/** @param {string} challengeId @param {string} [rest] */
function pathOf(challengeId, rest = "") {
  return `${PATH}/${encodeURIComponent(challengeId)}${rest}`;
}
