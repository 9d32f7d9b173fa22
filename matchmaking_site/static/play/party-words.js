/** What the page says of parties. Pure: state in, words out. */

import { someNames } from "../shared/words.js";

/** @import { Party } from "../realtime/types.js" */

/** @type {Record<string, string>} */
const REFUSALS = {
  already_in_party: "You are in a party already. Leave it first.",
  not_party_leader: "Only the leader of the party may do this.",
  party_full: "The party is full.",
  party_in_queue: "The party is searching or playing. Try again when it is back.",
  party_not_found: "There is no such party any more, or the invitation was taken back.",
};

/** @param {any} error a `Problem` */
export function partyRefusal({ code, status, message, errors }) {
  if (REFUSALS[code]) return REFUSALS[code];
  if (errors?.user_id) return "This is no player's id.";
  if (status >= 500) return "Something went wrong on our side. Try again in a moment.";
  return code === "cannot_invite" ? `${message}.` : message;
}

const STATUS = { IDLE: "Not searching", QUEUED: "Searching", PLAYING: "Playing", DISBANDED: "Over" };

/** @param {Party | null} party */
export function partyHint(party) {
  if (party === null) return "";
  const count = party.members.length;
  return `${count === 1 ? "You alone" : `${count} of you`}, ${STATUS[party.status].toLowerCase()}`;
}

/** @param {Party} party */
function leaderOf({ members, leader }) {
  return members.find((one) => one.user_id === leader);
}

/** @param {Party} party */
export function invitationWords(party) {
  const leader = leaderOf(party);
  return leader ? `${leader.display_name} invites you to a party` : "You are invited to a party";
}

/** @param {Party} party @returns {string[]} */
export function invitationFacts({ members }) {
  return [members.length === 1 ? "1 member" : `${members.length} members`, someNames(members)];
}

/** What one's party means for a search. @param {Party | null} party @param {string | null} userId */
export function searchingWords(party, userId) {
  if (party === null || party.members.length < 2) return "";
  if (party.leader === userId) return `You search as a party of ${party.members.length}.`;
  return `You are in a party: ${leaderOf(party)?.display_name ?? "the leader"} searches for all of you.`;
}

/** Somebody in a party: who it is to the reader. @param {{user_id: string}} member @param {Party} party @param {string | null} userId */
export function memberMarks({ user_id: id }, { leader }, userId) {
  return [id === userId ? "you" : "", id === leader ? "leader" : ""].filter(Boolean).join(", ");
}

/** What has changed in a party, for who listens. @param {Party | null} before @param {Party | null} after */
export function partyNews(before, after) {
  if (after === null) return before ? "You are not in the party any more." : "";
  if (before?.party_id !== after.party_id) return "";
  const [old, now] = [before, after].map((party) => new Set(party.members.map((one) => one.user_id)));
  const came = after.members.filter((one) => !old.has(one.user_id));
  const left = before.members.filter((one) => !now.has(one.user_id));
  const told = [came.length ? `${someNames(came)} joined the party.` : "", left.length ? `${someNames(left)} left the party.` : ""];
  return told.filter(Boolean).join(" ");
}
