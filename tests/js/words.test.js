import assert from "node:assert/strict";
import { test } from "node:test";

import * as words from "../../matchmaking_site/static/play/words.js";
import { bannerWords, initials, presence, presenceOf } from "../../matchmaking_site/static/shared/words.js";

test("waiting time is minutes and seconds, and never negative", () => {
  assert.deepEqual([-3, 0, 9.9, 65, 3600].map(words.clock), ["00:00", "00:00", "00:09", "01:05", "60:00"]);
});

test("an estimate says no more than is known", () => {
  const said = [null, 0, 3, 23, 50, 61, 170].map(words.estimate);
  const expected = ["Not known yet", "Longer than usual", "A few seconds", "About 25 s", "About 50 s", "About 1 min", "About 3 min"];
  assert.deepEqual(said, expected);
});

test("why one is not matched yet is said in a line, and nothing where there is nothing to say", () => {
  const explained = (reason, candidates, seconds) =>
    words.why({ reason, candidates, nearest: seconds === undefined ? null : { fits_in_seconds: seconds } });
  assert.equal(words.why(null), "");
  assert.equal(explained("nobody_waits", 0), "Nobody else waits here yet.");
  assert.equal(explained("fits_later", 4, 12.3), "4 others wait, the nearest fits in about 12 s.");
  assert.equal(explained("fits_later", 1, 0.2), "1 other waits, the nearest fits in about 1 s.");
  assert.match(explained("never_fits", 2, null), /^2 others wait, and nobody comes near enough/);
  assert.match(explained("nobody_fits", 2), /^2 others wait, and none/);
  assert.match(explained("unreachable", 2), /your place is kept/);
  assert.equal(explained("fits_now", 2, 0), "");
});

test("a pool is told in few words, and none twice", () => {
  const pool = { name: "Duel", mode: "duel", time_control: "", rated: true, accept_seconds: null };
  assert.deepEqual(words.poolFacts(pool), ["Rated"]);
  const other = { name: "Evening", mode: "team_duel", time_control: "10+0", rated: false, accept_seconds: 20 };
  assert.deepEqual(words.poolFacts(other), ["Team duel", "10+0", "Not rated", "With ready check"]);
  assert.deepEqual([0, 1, 2].map(words.waitingPlayers), ["Nobody waiting", "1 waiting", "2 waiting"]);
});

test("players are known by two letters at most", () => {
  const names = ["ada", "Ada Lovelace", "  anna  maria  berg ", "åsa", "\u{1F600} x", ""];
  assert.deepEqual(names.map(initials), ["A", "AL", "AB", "Å", "\u{1F600}X", ""]);
});

test("a cancelled match is explained, and where the player stands", () => {
  const notice = (reason, requeued) => words.noticeText({ type: "match_cancelled", reason, requeued, position: 1 });
  assert.equal(notice("opponent_unreachable", true), "Your opponent was not there after all. You are back in the queue at your place.");
  assert.equal(notice("you_declined", false), "You declined the match.");
  assert.equal(notice("a_new_reason", false), "The match was cancelled.");
  assert.equal(words.noticeText(null), "");
});

test("a search is told step by step", () => {
  const ticket = { status: "SEARCHING" };
  const match = { stage: "found", opponents: [{ display_name: "Ben" }] };
  const told = [
    { ticket, match: null },
    { ticket: { status: "RESERVED" }, match: null },
    { ticket: { status: "RESERVED" }, match },
    { ticket: null, match: { ...match, stage: "confirmed" } },
  ].map((state) => [words.searchStep(state), words.searchWords(state, true)[0]]);
  assert.deepEqual(told, [
    ["searching", "Searching for an opponent"],
    ["checking", "Somebody suits you"],
    ["confirming", "Ben is there"],
    ["ready", "Your game is ready"],
  ]);
});

test("a ready check is told before and after one has accepted", () => {
  const match = { stage: "accepting", opponents: [{ display_name: "Ben" }, { display_name: "Cas" }], accepted: 1, needed: 4 };
  const state = { ticket: { status: "RESERVED" }, match };
  assert.equal(words.searchStep(state), "accepting");
  assert.equal(words.searchWords(state, true)[0], "Are you ready?");
  assert.match(words.searchWords(state, true)[1], /^A match against Ben and Cas\./);
  assert.equal(words.searchWords(state, true, true)[0], "You are ready");
  assert.equal(words.readyCount(match), "1 of 4 have accepted");
  assert.equal(words.readyCount({ accepted: 0, needed: null }), "");
  assert.equal(words.searchWords({ ...state, match: { ...match, stage: "found" } }, true)[0], "Ben and Cas are there");
});

test("a pool of teams says how large they are", () => {
  const pool = { name: "Evening", mode: "duel", time_control: "", rated: false };
  assert.deepEqual(words.poolFacts({ ...pool, teams: 2, team_size: 2 }), ["Duel", "Not rated", "2 teams of 2"]);
  assert.deepEqual(words.poolFacts({ ...pool, teams: 4, team_size: 1 }), ["Duel", "Not rated", "4 players"]);
});

test("who came by a challenge's link is told so", () => {
  assert.equal(words.welcomeWords(true)[0], "You are challenged");
  assert.equal(words.welcomeWords(false)[0], "Find somebody to play with");
});

const ADA = { participant_id: "p1", display_name: "Ada", connection_state: "connected" };
const BEN = { participant_id: "p2", display_name: "Ben", connection_state: "connected" };
const STATE = { restored: true, participant_id: "p1", away: {}, left: {}, phase: "lobby", participants: [ADA, BEN] };
const ROOM = { client: { state: "open" }, state: STATE, others: [BEN] };

const benIs = (connection_state, more) => {
  const ben = { ...BEN, connection_state };
  return { ...ROOM, others: [ben], state: { ...STATE, ...more, participants: [ADA, ben] } };
};

test("a room says who is there", () => {
  assert.deepEqual(words.roomWords(ROOM), ["You are playing Ben", "Both of you are here."]);
  assert.equal(words.roomWords(benIs("temporarily_disconnected"))[1], "Waiting for Ben.");
  const lost = benIs("temporarily_disconnected", { away: { p2: { since: "", grace_seconds: 30 } } });
  assert.match(words.roomWords(lost)[1], /^Ben has lost the connection/);
  const four = { ...ROOM, others: [{ ...BEN, display_name: "Mate" }, BEN, { ...BEN, display_name: "Cas" }] };
  const opponents = [BEN, { display_name: "Cas" }];
  assert.deepEqual(words.roomWords(four, opponents), ["You are playing Ben and Cas", "Everybody is here."]);
  assert.equal(words.roomWords({ ...ROOM, state: { ...STATE, restored: false } })[0], "Restoring session…");
});

test("a question goes on without somebody who is away, and says so", () => {
  assert.equal(words.absenceWords(ROOM), "");
  assert.equal(words.absenceWords(benIs("temporarily_disconnected")), "Ben has lost the connection. The game goes on.");
});

test("after a question it is told what comes next, and when", () => {
  const after = (number, seconds) => words.nextWords({ state: { phase: "leaderboard", question: { number, of: 5 } } }, seconds);
  assert.deepEqual([after(4, 3), after(5, 2), after(4, 0)], ["Next question in 3 s", "The result in 2 s", ""]);
  assert.equal(words.nextWords({ state: { phase: "question", question: { number: 1, of: 5 } } }, 9), "");
});

test("nothing is said to go on that a lost connection has stopped", () => {
  const kept = "Without a connection your place is kept for a short while only.";
  const searching = { ticket: { status: "SEARCHING" }, match: null };
  assert.deepEqual(words.searchWords(searching, false), ["Searching for an opponent", kept]);
  assert.deepEqual(words.roomWords({ ...ROOM, client: { state: "closed" } }), ["You are playing Ben", kept]);
});

test("who is away is told with the time that is left to come back in", () => {
  const away = { connection_state: "temporarily_disconnected" };
  assert.deepEqual([null, 12, 0].map((seconds) => presence(away, undefined, seconds)), [
    "Not here right now", "Connection lost, 12\u00a0s left", "Connection lost",
  ]);
  assert.equal(presence({ connection_state: "connected" }, undefined, null), "Connected");
  const gone = { connection_state: "disconnected" };
  assert.deepEqual([undefined, "grace_expired", "kicked"].map((reason) => presence(gone, reason, null)), [
    "Left the game", "Did not come back", "Was removed",
  ]);
  assert.deepEqual([undefined, away, gone].map(presenceOf), ["away", "away", "gone"]);
});

test("the banner says what the connection does, how long the place is kept, and offers what helps", () => {
  const say = (client, grace = null) =>
    bannerWords({ isReplaced: false, retryAt: null, isReconnecting: false, ...client }, grace);
  assert.deepEqual(bannerWords(null), ["", "", ""]);
  assert.deepEqual(say({ state: "open" }), ["", "", ""]);
  assert.deepEqual(say({ state: "connecting" }), ["", "", ""]);
  assert.deepEqual(say({ state: "connecting", isReconnecting: true })[1], "Connecting again…");
  assert.deepEqual(say({ state: "closed" }), ["No connection to the server.", "", "Connect"]);
  assert.equal(say({ state: "closed", isReplaced: true })[2], "Continue here");
  const retryAt = Date.now() + 3500;
  assert.deepEqual(say({ state: "closed", retryAt }), ["Connection lost.", "Next try in 4 s.", "Try now"]);
  assert.equal(say({ state: "closed", retryAt }, 21)[1], "Next try in 4 s. Your place is kept for 21 s.");
  assert.equal(say({ state: "closed", retryAt }, 0)[1], "Next try in 4 s. Your place may be gone by now.");
});
