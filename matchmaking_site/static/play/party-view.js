/** The party on the page: its section in the lobby, and what it means for a search. */

import { drawKeyed, element, fromTemplate, setText, setWaiting, writeLine } from "../shared/dom.js";
import { drawAvatar } from "./parts.js";
import { INVITE, LEAVE, MAKE, memberKey } from "./party.js";
import * as words from "./party-words.js";

/** @typedef {import("./play.js").App} App */
/** @typedef {import("../realtime/types.js").Party} Party */
/** @typedef {import("../realtime/types.js").PartyMember} PartyMember */

/** @param {App} app */
export function drawParty(app) {
  const { matchmaking, partyActions, invited } = app;
  const { party } = matchmaking;
  writeLine("party-hint", words.partyHint(party));
  element("no-party").hidden = party !== null;
  element("own-party").hidden = party === null;
  setWaiting(element("make-party"), partyActions.isUnderWay(MAKE));
  writeLine("party-error", partyActions.refusal(MAKE) || partyActions.refusal(LEAVE));
  drawMembers(app, party);
  setWaiting(element("leave-party"), partyActions.isUnderWay(LEAVE));
  setWaiting(element("invite"), partyActions.isUnderWay(INVITE));
  writeLine("invite-refusal", partyActions.refusal(INVITE));
  writeLine("invited", invited);
}

/** @param {App} app @param {Party | null} party */
function drawMembers(app, party) {
  const list = element("members");
  const hadFocus = list.contains(document.activeElement);
  const make = () => fromTemplate("member-template");
  drawKeyed(list, party?.members ?? [], (one) => one.user_id, make, (item, member) => drawMember(item, member, app));
  if (hadFocus && !list.contains(document.activeElement)) element("fold-party").firstElementChild.focus();
}

/** @param {any} item @param {PartyMember} member @param {App} app */
function drawMember(item, member, { matchmaking: { party, user_id: ownId }, partyActions }) {
  const { user_id: id, display_name: name, connected } = member;
  item.dataset.presence = connected ? "connected" : "gone";
  drawAvatar(item, name);
  const title = item.querySelector(".player-name");
  title.id = `member-${id}`;
  setText(title.firstElementChild, name);
  const marks = words.memberMarks(member, party, ownId);
  setText(title.lastElementChild, marks ? `(${marks})` : "");
  const refusal = partyActions.refusal(memberKey(id));
  setText(item.querySelector(".player-words"), refusal || (connected ? "Connected" : "Not connected"));
  const button = item.querySelector("button");
  button.hidden = party.leader !== ownId || id === ownId;
  button.dataset.kick = id;
  button.setAttribute("aria-describedby", title.id);
  setWaiting(button, partyActions.isUnderWay(memberKey(id)));
}

/** Who searches for whom. @param {App} app */
export function partySearchWords({ matchmaking: { party, user_id: userId } }) {
  return words.searchingWords(party, userId);
}

/** May the player begin a search? In a party the leader alone does. @param {App} app */
export function maySearch({ matchmaking: { party, user_id: userId } }) {
  return party === null || party.leader === userId;
}
