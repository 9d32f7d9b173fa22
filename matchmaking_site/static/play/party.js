/** What a player does about parties: make one, ask others in, join, send away, leave. */

import { element, onClick, onSubmit, refuse } from "../shared/dom.js";
import { ofTab } from "../shared/storage.js";
import { partyNews } from "./party-words.js";

/** @typedef {import("./play.js").App} App */
/** @typedef {import("../realtime/types.js").Party} Party */

const PATH = "/v1/matchmaking/parties";
const KEPT = "invitations";

export const MAKE = "party:make";
export const INVITE = "party:invite";
export const LEAVE = "party:leave";
/** The key of what is done about a member. @param {string} userId */
export const memberKey = (userId) => `party:member:${userId}`;
/** The key of what is done about an invitation. @param {string} partyId */
export const invitationKey = (partyId) => `party:invitation:${partyId}`;

/** @param {App} app @param {() => void} draw */
export function listenForParty(app, draw) {
  onClick("make-party", () => app.partyActions.run(MAKE, () => app.identity.call("POST", PATH)));
  onClick("leave-party", () => app.partyActions.run(LEAVE, () => post(app, app.matchmaking.party.party_id, "leave")));
  onSubmit("invite-form", () => invite(app, draw));
  element("members").addEventListener("click", ({ target }) => kick(app, target.closest("[data-kick]")));
  element("invitations").addEventListener("click", ({ target }) => answer(app, target.closest("[data-do]"), draw));
}

/** @param {App} app @param {string} partyId @param {string} verb @param {object} [body] */
function post(app, partyId, verb, body) {
  return app.identity.call("POST", `${PATH}/${partyId}/${verb}`, body);
}

async function invite(app, draw) {
  const userId = element("invite-id").value.trim();
  app.invited = "";
  refuse("invite-id", "invite-error", userId ? "" : "Whom? Type an id.");
  if (!userId) return;
  const { party_id: partyId } = app.matchmaking.party;
  if (!(await app.partyActions.run(INVITE, () => post(app, partyId, "invite", { user_id: userId })))) return;
  element("invite-id").value = "";
  app.invited = "Invited. They are here as soon as they join.";
  draw();
}

function kick(app, button) {
  const userId = button?.dataset.kick;
  if (!userId) return;
  const { party_id: partyId } = app.matchmaking.party;
  app.partyActions.run(memberKey(userId), () => post(app, partyId, "kick", { user_id: userId }));
}

/** Join, or leave what one is only invited to. */
async function answer(app, button, draw) {
  const partyId = button?.closest("[data-party]")?.dataset.party;
  if (!partyId) return;
  const verb = button.dataset.do;
  const party = await app.partyActions.run(invitationKey(partyId), () => post(app, partyId, verb));
  if (party && verb === "leave") app.declined.add(partyId);
  draw();
}

// --- what the server says

/**
 * Keep what belongs to parties in line with what was told.
 * @param {App} app
 * @param {any} message
 * @param {Party | null} before the party that the player was in
 */
export function hearOfParties(app, { type, data }, before) {
  const { party, invitations } = app.matchmaking;
  if (party?.members.length !== before?.members.length) app.invited = "";
  if (party?.party_id !== before?.party_id) element("fold-party").open = party !== null;
  if (!isOfParties(type)) return;
  if (type === "party_invited") app.declined.delete(data.party_id);
  else app.kept = app.kept.filter((each) => each.party_id !== data.party_id);
  ofTab.set(KEPT, [...invitations, ...app.kept].map((each) => each.party_id));
}

/** Who came to the party or left it; empty where nobody did. @param {App} app @param {any} message @param {Party | null} before */
export function newsOfParties({ matchmaking: { party } }, { type }, before) {
  return isOfParties(type) ? partyNews(before, party) : "";
}

/** @param {string} type of a message */
function isOfParties(type) {
  return type === "party_invited" || type === "party_updated";
}

/** Invitations that came before a reload, and are still good. @param {App} app @param {() => void} draw */
export async function loadInvitations(app, draw) {
  const ids = ofTab.get(KEPT) ?? [];
  const asked = ids.map((id) => app.identity.call("GET", `${PATH}/${id}`).catch(() => null));
  app.kept = (await Promise.all(asked)).filter((party) => party !== null);
  draw();
}

/** Those to answer, the oldest first: a new one moves none of them. @param {App} app @returns {Party[]} */
export function invitationsOf({ matchmaking: { invitations, party }, kept, declined }) {
  const known = new Set(invitations.map((each) => each.party_id));
  const all = [...invitations, ...kept.filter((each) => !known.has(each.party_id))];
  return all.filter((each) => each.party_id !== party?.party_id && !declined.has(each.party_id)).reverse();
}
