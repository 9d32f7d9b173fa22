/**
 * Hosted events over REST: found by their code and joined without an account; made and led by their host.
 * Every function is rejected with a `Problem`, and takes `origin` where there is no page.
 */

import { ask, call } from "./rest.js";
import { SessionClient } from "./session.js";

/** @import { ClientOptions, Phase, SessionView } from "./types.js" */

/** @typedef {{origin?: string}} At */
/** The host's token, or where it says so a participant's. @typedef {{origin?: string, token: string}} As */
/** @typedef {{text: string, choices: string[], answer: number, seconds?: number}} QuestionDraft `answer` is an index */
/**
 * `attempt` is a signed stamp: with it, a join that was begun before the host locked counts.
 * @typedef {{session_id: string, title: string, phase: Phase, locked: boolean, attempt: string}} JoinPage
 */
/** @typedef {{participant_id: string, session_id: string, display_name: string, token: string}} Joined */

// --- joining

/**
 * What the join page of an event shows.
 * @param {string} joinCode upper or lower case
 * @param {At} [at]
 * @returns {Promise<JoinPage>}
 */
export function eventByCode(joinCode, { origin } = {}) {
  return call("GET", `/v1/sessions/by-code/${encodeURIComponent(joinCode.trim())}`, { origin });
}

/**
 * Take a place; a device that has one gets it again, with a new token.
 * @param {{join_code: string, display_name: string, device_id: string, attempt?: string}} wish
 * @param {At} [at]
 * @returns {Promise<Joined>} codes: `session_locked`, `session_finished`, `session_full`, `name_taken`, `not_found`
 */
export function joinEvent(wish, { origin } = {}) {
  return call("POST", "/v1/sessions/join", { origin, body: wish });
}

/**
 * Join, and make the client of the session; its tokens are renewed by joining again. Call `connect` on it.
 * @param {{join_code: string, display_name: string, device_id: string, attempt?: string}} wish
 * @param {Partial<ClientOptions> & {origin?: string}} [options]
 * @returns {Promise<SessionClient>}
 */
export async function enterEvent(wish, { origin = globalThis.location?.origin, ...options } = {}) {
  let place = await joinEvent(wish, { origin });
  /** @param {{fresh: boolean}} how */
  const getToken = async ({ fresh }) => {
    if (fresh) place = await joinEvent(wish, { origin });
    return place.token;
  };
  const { session_id: sessionId } = place;
  return new SessionClient({ getToken, ...options, origin, sessionId, deviceId: wish.device_id });
}

/**
 * Look for a join code in a picture.
 * @param {Blob} jpeg of at most 64 KiB, of the type `image/jpeg`
 * @param {At} [at]
 * @returns {Promise<{join_code: string | null}>}
 */
export function scanPicture(jpeg, { origin } = {}) {
  return call("POST", "/v1/sessions/scan", { origin, body: jpeg });
}

// --- in a session, as its host or as a participant

/** @param {string} sessionId @param {As} as @returns {Promise<SessionView>} */
export function readSession(sessionId, as) {
  return call("GET", pathOf(sessionId), as);
}

/** Leave for good. @param {string} sessionId @param {As} as a participant @returns {Promise<unknown>} */
export function leaveSession(sessionId, as) {
  return call("POST", pathOf(sessionId, "/leave"), as);
}

/**
 * What `SessionClient.rename` does, without a connection.
 * @param {string} sessionId
 * @param {string} displayName
 * @param {As} as a participant
 * @returns {Promise<{participant_id: string, display_name: string}>}
 */
export function renameInSession(sessionId, displayName, as) {
  return call("PATCH", pathOf(sessionId, "/participants/me"), { ...as, body: { display_name: displayName } });
}

/** The QR picture that leads to an event, as SVG. @param {string} sessionId @param {As} as @returns {Promise<string>} */
export async function qrPicture(sessionId, as) {
  return (await ask("GET", pathOf(sessionId, "/qr.svg"), as)).text();
}

// --- hosting

/**
 * @param {As} as any user
 * @returns {Promise<{results: {key: string, title: string, questions: number}[], next: string | null}>}
 */
export function questionSets(as) {
  return call("GET", "/v1/sessions/question-sets", as);
}

/**
 * Make an event, with its own questions, a question set, or the one that comes along.
 * @param {{title: string, questions?: QuestionDraft[], question_set?: string}} event
 * @param {As} as any user, who is its host
 * @returns {Promise<SessionView & {session_id: string, join_code: string, join_url: string}>}
 */
export function createEvent(event, as) {
  return call("POST", "/v1/sessions", { ...as, body: event });
}

/**
 * Nobody may join any more, or everybody again.
 * @param {string} sessionId
 * @param {boolean} locked
 * @param {As} as
 * @returns {Promise<SessionView>}
 */
export function lockEvent(sessionId, locked, as) {
  return call("POST", pathOf(sessionId, locked ? "/lock" : "/unlock"), as);
}

/**
 * Go on to the next phase.
 * @param {string} sessionId
 * @param {{phase: Phase, number: number} | undefined} seen where the host believes it to be; otherwise `phase_changed`
 * @param {As} as
 * @returns {Promise<SessionView>}
 */
export function nextPhase(sessionId, seen, as) {
  return call("POST", pathOf(sessionId, "/next"), { ...as, body: seen });
}

/** @param {string} sessionId @param {As} as @returns {Promise<SessionView>} */
export function finishEvent(sessionId, as) {
  return call("POST", pathOf(sessionId, "/finish"), as);
}

/** @param {string} sessionId @param {string} [rest] */
function pathOf(sessionId, rest = "") {
  return `/v1/sessions/${encodeURIComponent(sessionId)}${rest}`;
}
