/** What is known of parties: the one that a user is in, and those that it is invited to. */

/** @import { MatchmakingEvent, MatchmakingState, Party } from "./types.js" */

/** Is a user in a party? @param {Party} party @param {string | null} userId */
function isMember(party, userId) {
  return party.status !== "DISBANDED" && party.members.some((member) => member.user_id === userId);
}

/** The newest first. @param {readonly Party[]} invitations @param {Party} party @returns {readonly Party[]} */
export function withInvitation(invitations, party) {
  return [party, ...without(invitations, party)];
}

/**
 * A party has changed. Its members are told, and who has left: nobody of these is invited to it any more.
 * @param {MatchmakingState} state
 * @param {Party} party
 * @returns {Pick<MatchmakingState, "party" | "invitations">}
 */
export function afterParty({ party: own, invitations, user_id: userId }, party) {
  const known = own?.party_id === party.party_id ? null : own;
  return { party: isMember(party, userId) ? party : known, invitations: without(invitations, party) };
}

/**
 * No snapshot tells of invitations: those that are known stay, with what was missed.
 * @param {MatchmakingState} state
 * @param {MatchmakingEvent[]} missed
 * @param {Party | null} party that the user is in by now
 * @returns {readonly Party[]}
 */
export function afterMissed(state, missed, party) {
  let { invitations } = state;
  for (const { type, data } of missed) {
    if (type === "party_invited") invitations = withInvitation(invitations, data);
    if (type === "party_updated") ({ invitations } = afterParty({ ...state, invitations }, data));
  }
  return party ? without(invitations, party) : invitations;
}

/** @param {readonly Party[]} invitations @param {Party} party @returns {readonly Party[]} */
function without(invitations, { party_id: id }) {
  return invitations.filter((each) => each.party_id !== id);
}
