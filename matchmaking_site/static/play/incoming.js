/** What others ask of the player, above every screen on which it can answer: challenges, and invitations to parties. */

import { drawKeyed, element, fromTemplate, writeLine } from "../shared/dom.js";
import { keyOf, msLeft } from "./challenges.js";
import { askWords, challengeFacts } from "./challenge-words.js";
import { drawAsked } from "./parts.js";
import { invitationKey, invitationsOf } from "./party.js";
import { invitationFacts, invitationWords } from "./party-words.js";

/** @typedef {import("./play.js").App} App */
/** @typedef {import("../realtime/types.js").Challenge} Challenge */
/** @typedef {import("../realtime/types.js").Party} Party */

/** Who plays cannot accept, and is not disturbed. */
const SCREENS = new Set(["lobby", "search", "over", "challenge"]);

/** @param {App} app @param {string} screen */
function canAnswer({ matchmaking: { match } }, screen) {
  return SCREENS.has(screen) && !(screen === "search" && match !== null);
}

/** The oldest first: a new one moves none of them. @param {App} app @param {string} screen @returns {Challenge[]} */
function challengesOn(app, screen) {
  if (!canAnswer(app, screen)) return [];
  const openedId = screen === "challenge" ? app.opened?.id : null;
  const { incoming } = app.matchmaking.challenges;
  return incoming.filter((one) => one.challenge_id !== openedId && msLeft(app, one) > 0).reverse();
}

/** @param {App} app @param {string} screen @returns {Party[]} */
function invitationsOn(app, screen) {
  return canAnswer(app, screen) ? invitationsOf(app) : [];
}

/** How a challenge ended, and who came to the party or left it. @param {App} app @param {string} screen */
function newsOn(app, screen) {
  return SCREENS.has(screen) ? app.news : "";
}

/** In words, each a sentence without its full stop. @param {App} app @param {string} screen */
export function askedOn(app, screen) {
  return [...challengesOn(app, screen).map(askWords), ...invitationsOn(app, screen).map(invitationWords)];
}

/** For who listens. @param {App} app @param {string} screen */
export function incomingSpoken(app, screen) {
  return [...askedOn(app, screen).map((words) => `${words}.`), newsOn(app, screen)].filter(Boolean).join(" ");
}

/** @param {App} app @param {string} screen */
export function drawIncoming(app, screen) {
  const region = element("incoming");
  const hadFocus = region.contains(document.activeElement);
  const [challenges, invitations] = [challengesOn(app, screen), invitationsOn(app, screen)];
  const [ofChallenge, ofInvitation] = ["request", "invitation"].map((name) => () => fromTemplate(`${name}-template`));
  drawKeyed(element("requests"), challenges, (one) => one.challenge_id, ofChallenge, (item, one) => drawRequest(item, one, app));
  drawKeyed(element("invitations"), invitations, (one) => one.party_id, ofInvitation, (item, one) => drawInvitation(item, one, app));
  writeLine("news", newsOn(app, screen));
  region.hidden = challenges.length + invitations.length === 0 && element("news").hidden;
  if (hadFocus && !region.contains(document.activeElement)) element(`${screen}-title`).focus();
}

/** @param {any} item @param {Challenge} challenge @param {App} app */
function drawRequest(item, challenge, app) {
  const { challenge_id: id, challenger } = challenge;
  item.dataset.challenge = id;
  drawAsked(item, {
    id,
    name: challenger.display_name,
    title: askWords(challenge),
    facts: challengeFacts(challenge, { isOwn: false, pools: app.pools, msLeft: msLeft(app, challenge) }),
    refusal: app.actions.refusal(keyOf(id)),
    isUnderWay: app.actions.isUnderWay(keyOf(id)),
  });
}

/** @param {any} item @param {Party} party @param {App} app */
function drawInvitation(item, party, { partyActions }) {
  const { party_id: id, leader, members } = party;
  item.dataset.party = id;
  drawAsked(item, {
    id,
    name: members.find((one) => one.user_id === leader)?.display_name ?? "",
    title: invitationWords(party),
    facts: invitationFacts(party),
    refusal: partyActions.refusal(invitationKey(id)),
    isUnderWay: partyActions.isUnderWay(invitationKey(id)),
  });
}
