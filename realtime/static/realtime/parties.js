/**
 * Parties over REST: players who queue as one. What becomes of them is in `known.party` and `known.invitations` of
 * the queue's client. Every function is rejected with a `Problem`, and takes `origin` where there is no page.
 */

import { call } from "./rest.js";

/** @import { As, Party } from "./types.js" */

const PATH = "/v1/matchmaking/parties";

/** Make a party, and lead it. @param {As} as @returns {Promise<Party>} code: `already_in_party` */
export function createParty(as) {
  return call("POST", PATH, as);
}

/** @param {string} partyId @param {As} as a member, or who is invited @returns {Promise<Party>} */
export function readParty(partyId, as) {
  return call("GET", pathOf(partyId), as);
}

/**
 * @param {string} partyId
 * @param {string} userId
 * @param {As} as
 * @returns {Promise<Party>} codes: `cannot_invite`, `party_full`, `party_in_queue`, `not_party_leader`
 */
export function inviteToParty(partyId, userId, as) {
  return call("POST", pathOf(partyId, "/invite"), { ...as, body: { user_id: userId } });
}

/**
 * Send a member away.
 * @param {string} partyId
 * @param {string} userId
 * @param {As} as its leader
 * @returns {Promise<Party>}
 */
export function kickFromParty(partyId, userId, as) {
  return call("POST", pathOf(partyId, "/kick"), { ...as, body: { user_id: userId } });
}

/** @param {string} partyId @param {As} as who is invited @returns {Promise<Party>} codes: `already_in_party`, `party_full`, `party_in_queue` */
export function joinParty(partyId, as) {
  return call("POST", pathOf(partyId, "/join"), as);
}

/** @param {string} partyId @param {As} as a member @returns {Promise<Party>} */
export function leaveParty(partyId, as) {
  return call("POST", pathOf(partyId, "/leave"), as);
}

/** @param {string} partyId @param {string} [rest] */
function pathOf(partyId, rest = "") {
  return `${PATH}/${encodeURIComponent(partyId)}${rest}`;
}
