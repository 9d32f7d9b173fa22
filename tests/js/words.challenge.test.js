import assert from "node:assert/strict";
import { test } from "node:test";

import { chartOf, chartWords, ratingFacts, rowOf } from "../../matchmaking_site/static/play/chart.js";
import * as words from "../../matchmaking_site/static/play/challenge-words.js";
import { Actions } from "../../matchmaking_site/static/shared/actions.js";

const ADA = { user_id: "ada", display_name: "Ada" };
const BEN = { user_id: "ben", display_name: "Ben" };
const ASKED = Object.freeze({
  challenge_id: "c1", challenger: BEN, opponent: ADA, pool_key: "duel", mode: "duel", time_control: "", rated: true,
  color_preference: "WHITE", status: "PENDING", rematch_of: null,
});
const POOLS = [{ pool_key: "duel", name: "Duel" }];
const MINUTE = 60_000;

test("each refusal is told in words that say what to do", () => {
  const told = (code, more) => words.refusalWords({ code, status: 409, message: "As the server says", ...more });
  assert.equal(told("cannot_accept_challenge"), "As the server says. The challenge waits on.");
  assert.equal(told("rate_limited"), "As the server says. Wait for an answer, or withdraw one.");
  assert.match(told("invalid_challenge_state"), /has an answer already/);
  assert.match(told("matchmaking_unavailable", { status: 503 }), /waits on; try again/);
  assert.match(told("", { status: 502 }), /on our side/);
  const about = (text) => told("invalid_request", { status: 400, errors: { opponent_id: [text] } });
  assert.equal(about("You cannot challenge yourself"), "You cannot challenge yourself.");
  assert.equal(about("does not match"), "This is no player's id.");
  assert.equal(told("a_new_code"), "As the server says");
});

test("the time that is left is told in the measure that matters", () => {
  const told = [-1, 0, 9_500, 5 * MINUTE, 59 * MINUTE, 90 * MINUTE, 26 * 60 * MINUTE, 7 * 24 * 60 * MINUTE].map(words.timeLeft);
  assert.deepEqual(told, ["", "", "0:10 left", "5:00 left", "59:00 left", "2 h left", "26 h left", "7 days left"]);
});

test("a challenge is told from the side of who reads it", () => {
  const facts = (isOwn, more) => words.challengeFacts({ ...ASKED, ...more }, { isOwn, pools: POOLS, msLeft: MINUTE });
  assert.deepEqual(facts(true), ["Duel", "Rated", "You play white", "1:00 left"]);
  assert.deepEqual(facts(false, { rated: false }), ["Duel", "Not rated", "You play black", "1:00 left"]);
  assert.equal(facts(false, { color_preference: "RANDOM" })[2], "Colours are drawn");
  assert.equal(facts(true, { pool_key: null, mode: "duel", time_control: "5+0" })[0], "duel 5+0");
  assert.equal(words.askWords(ASKED), "Ben challenges you");
  assert.equal(words.askWords({ ...ASKED, rematch_of: "m1" }), "Ben wants a rematch");
  assert.equal(words.ownWords({ ...ASKED, challenger: ADA, opponent: null }), "Open to whoever has the link");
  assert.equal(words.ownWords({ ...ASKED, challenger: ADA, opponent: BEN, rematch_of: "m1" }), "A rematch with Ben");
});

test("an end is told to who did not bring it about", () => {
  const told = (userId, status, more) => words.endWords({ ...ASKED, status, ...more }, userId);
  assert.equal(told("ben", "DECLINED"), "Ada has declined your challenge.");
  assert.equal(told("ada", "DECLINED"), "");
  assert.equal(told("ada", "CANCELLED", { rematch_of: "m1" }), "Ben has taken the rematch back.");
  assert.equal(told("ben", "CANCELLED"), "");
  assert.equal(told("ada", "EXPIRED"), "The challenge by Ben has expired.");
  assert.equal(told("ben", "EXPIRED"), "Ada did not answer your challenge in time.");
  assert.equal(told("ben", "EXPIRED", { opponent: null }), "Nobody took your open challenge in time.");
  assert.equal(told("ben", "ACCEPTED"), "");
  const unseen = { opponent: { user_id: "guest-1", display_name: "guest-1" } };
  assert.equal(told("ben", "DECLINED", unseen), "The other player has declined your challenge.");
});

test("a rematch is asked for, taken back, or accepted", () => {
  const of = (incoming, outgoing) => words.rematchWords({ incoming, outgoing }, "m1");
  const asked = { ...ASKED, rematch_of: "m1" };
  assert.equal(of([], []).action, "Rematch");
  assert.equal(of([{ ...asked, rematch_of: "m0" }], []).action, "Rematch");
  assert.equal(of([asked], []).action, "Accept the rematch");
  const own = of([], [{ ...asked, challenger: ADA, opponent: BEN }]);
  assert.deepEqual(own, { text: "You have asked Ben for a rematch.", action: "Withdraw the rematch", withdraw: "c1" });
});

test("the page of a link tells every state in words", () => {
  const title = (more, userId = "cas", msLeft = MINUTE) =>
    words.openedWords({ challenge: { ...ASKED, opponent: null, ...more }, problem: null, userId, msLeft })[0];
  assert.equal(title({}), "Ben challenges you");
  assert.equal(title({}, "ben"), "Your open challenge");
  assert.equal(title({ opponent: ADA }, "ben"), "You challenge Ada");
  assert.equal(title({}, "cas", 0), "This challenge has expired");
  assert.equal(title({}, "ben", 0), "Your challenge has expired");
  assert.equal(title({ status: "EXPIRED" }), "This challenge has expired");
  assert.equal(title({ status: "CANCELLED" }), "This challenge is off");
  assert.equal(title({ status: "CANCELLED" }, "ben"), "You have taken this challenge back");
  assert.equal(title({ status: "DECLINED", opponent: ADA }, "ben"), "This challenge was declined");
  assert.equal(title({ status: "ACCEPTED", opponent: ADA }), "Somebody else was faster");
  assert.equal(title({ status: "ACCEPTED", opponent: ADA }, "ada"), "This challenge was accepted");
  const without = (problem) => words.openedWords({ challenge: null, problem, userId: "cas", msLeft: 0 });
  assert.equal(without(null)[0], "One moment…");
  assert.equal(without({ status: 404 })[0], "There is no such challenge");
  assert.deepEqual(without({ status: 503, message: "Down" }), ["This challenge cannot be shown", "Down"]);
});

test("recent opponents are told once each, the latest first", () => {
  const matches = [[ADA, BEN], [ADA, { user_id: "cas", display_name: "Cas" }], [{ ...BEN, display_name: "Old" }, ADA]];
  const found = (limit) => words.recentOpponents(matches.map((players) => ({ players })), "ada", limit);
  assert.deepEqual(found(6).map((one) => one.display_name), ["Ben", "Cas"]);
  assert.equal(found(1).length, 1);
});

const POINTS = [
  { at: "2030-01-02T12:00:00Z", before: 1580.2, after: 1560.4 },
  { at: "2030-01-01T12:00:00Z", before: 1500, after: 1580.2 },
];

test("a chart begins before the first match, and its edges are round", () => {
  const { line, dots, low, high } = chartOf(POINTS, { width: 100, height: 50 });
  assert.deepEqual([low, high], [1490, 1600]);
  assert.equal(line, "0,45.5 50,9 100,18");
  assert.deepEqual(dots.at(-1), { x: 100, y: 18 });
  const flat = chartOf([{ before: 1500, after: 1500 }], { width: 100, height: 50 });
  assert.equal(flat.line, "0,25 100,25");
});

test("a rating is told in words and numbers", () => {
  assert.equal(chartWords("Duel", POINTS), "Rating in Duel: from 1500 to 1560 over 2 matches, lowest 1500, highest 1580.");
  assert.deepEqual(ratingFacts({ rating: 1560.4, deviation: 120.2, provisional: true, games: 2 }), ["1560", "Provisional", "±120, 2 matches"]);
  assert.deepEqual(ratingFacts({ rating: 1560, deviation: 80, provisional: false, games: 1 })[1], "");
  assert.deepEqual(POINTS.map((point) => rowOf(point).slice(1)), [["1560", "−20"], ["1580", "+80"]]);
});

test("an action is done once at a time, and its refusal stays until the next try", async () => {
  let changes = 0;
  const actions = new Actions(() => changes++, (error) => `No: ${error.message}`);
  let refuse;
  const first = actions.run("a", () => new Promise((_, reject) => (refuse = reject)));
  assert.ok(actions.isUnderWay("a"));
  assert.equal(await actions.run("a", () => Promise.resolve("twice")), null);
  refuse(new Error("busy"));
  assert.equal(await first, null);
  assert.deepEqual([actions.refusal("a"), actions.refusal("b"), actions.isUnderWay("a")], ["No: busy", "", false]);
  assert.equal(await actions.run("a", () => Promise.resolve("done")), "done");
  assert.deepEqual([actions.refusal("a"), changes], ["", 4]);
});
