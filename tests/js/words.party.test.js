import assert from "node:assert/strict";
import { test } from "node:test";

import * as words from "../../matchmaking_site/static/play/party-words.js";

const [ADA, BEN, CAS] = ["Ada", "Ben", "Cas"].map((name) => ({
  user_id: name.toLowerCase(), display_name: name, connected: true,
}));
const party = (members, more) => ({ party_id: "p1", leader: "ada", members, status: "IDLE", ...more });

test("each refusal is told in words", () => {
  const told = (code, more) => words.partyRefusal({ code, status: 409, message: "As the server says", ...more });
  assert.match(told("already_in_party"), /Leave it first/);
  assert.match(told("party_not_found", { status: 404 }), /taken back/);
  assert.equal(told("cannot_invite"), "As the server says.");
  assert.equal(told("invalid_request", { status: 400, errors: { user_id: ["no"] } }), "This is no player's id.");
  assert.match(told("", { status: 500 }), /on our side/);
  assert.equal(told("a_new_code"), "As the server says");
});

test("a party is told by its size and by what it does", () => {
  assert.equal(words.partyHint(null), "");
  assert.equal(words.partyHint(party([ADA])), "You alone, not searching");
  assert.equal(words.partyHint(party([ADA, BEN], { status: "QUEUED" })), "2 of you, searching");
});

test("an invitation says who leads, and who is in", () => {
  assert.equal(words.invitationWords(party([ADA, BEN])), "Ada invites you to a party");
  assert.equal(words.invitationWords(party([])), "You are invited to a party");
  assert.deepEqual(words.invitationFacts(party([ADA, BEN])), ["2 members", "Ada and Ben"]);
  assert.equal(words.invitationFacts(party([ADA]))[0], "1 member");
});

test("who searches for whom is told to both sides, and not to who is alone", () => {
  assert.equal(words.searchingWords(null, "ada"), "");
  assert.equal(words.searchingWords(party([ADA]), "ada"), "");
  assert.equal(words.searchingWords(party([ADA, BEN]), "ada"), "You search as a party of 2.");
  assert.equal(words.searchingWords(party([ADA, BEN]), "ben"), "You are in a party: Ada searches for all of you.");
});

test("a member is marked as oneself and as the leader", () => {
  const marks = (member, userId) => words.memberMarks(member, party([ADA, BEN]), userId);
  assert.deepEqual([marks(ADA, "ada"), marks(ADA, "ben"), marks(BEN, "ben"), marks(BEN, "ada")], ["you, leader", "leader", "you", ""]);
});

test("who comes and goes is news, and one's own coming is none", () => {
  assert.equal(words.partyNews(null, party([ADA])), "");
  assert.equal(words.partyNews(party([ADA]), party([ADA, BEN])), "Ben joined the party.");
  assert.equal(words.partyNews(party([ADA, BEN]), party([ADA, CAS])), "Cas joined the party. Ben left the party.");
  assert.equal(words.partyNews(party([ADA]), party([ADA], { status: "QUEUED" })), "");
  assert.equal(words.partyNews(party([ADA, BEN]), null), "You are not in the party any more.");
  assert.equal(words.partyNews(null, null), "");
});
