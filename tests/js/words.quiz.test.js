import assert from "node:assert/strict";
import { test } from "node:test";

import * as words from "../../matchmaking_site/static/quiz/words.js";

const QUESTION = { question_id: "q1", number: 2, of: 5, text: "Which is red?", choices: ["Mars", "Venus", "Earth"] };
const place = (rank, name, score, more) => ({ rank, participant_id: name.toLowerCase(), display_name: name, score, ...more });

test("time is told in whole seconds that are left, and the last five are short", () => {
  assert.deepEqual([15_000, 5001, 5000, 200, 0].map(words.timeLeft), [
    ["15", false], ["6", false], ["5", true], ["1", true], ["Time is up", false],
  ]);
});

test("ordinals and points are English", () => {
  const said = [1, 2, 3, 4, 11, 12, 13, 21, 22, 103, 111].map(words.ordinal);
  assert.deepEqual(said, ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "103rd", "111th"]);
  assert.deepEqual([0, 1, 2].map(words.points), ["0 points", "1 point", "2 points"]);
});

test("a question and its answer have the same number", () => {
  assert.equal(words.numberWords({ phase: "question", question: QUESTION }), "Question 2 of 5");
  assert.equal(words.numberWords({ phase: "leaderboard", question: QUESTION }), "Answer 2 of 5");
});

test("choices show what was taken, and what is right as soon as that is known", () => {
  const states = (answers) =>
    [0, 1, 2].map((index) => words.choiceWords(index, { correct: null, own: null, sending: null, ...answers })[0]);
  assert.deepEqual(states({}), ["open", "open", "open"]);
  assert.deepEqual(states({ sending: 1 }), ["dim", "sending", "dim"]);
  assert.deepEqual(states({ own: { choice: 0, correct: true } }), ["right", "dim", "dim"]);
  assert.deepEqual(states({ own: { choice: 1, correct: false } }), ["dim", "wrong", "dim"]);
  assert.deepEqual(states({ own: { choice: 1, correct: false }, correct: 0 }), ["right", "wrong", "dim"]);
  assert.deepEqual(states({ correct: 2 }), ["dim", "dim", "right"]);
  assert.equal(words.choiceWords(1, { correct: 1, own: { choice: 1, correct: true }, sending: null })[1], "✓ Your answer");
});

test("a verdict says what became of the answer, and to a host nothing", () => {
  const about = { phase: "question", own: null, points: null, refusal: "", isHost: false };
  const say = (more) => words.verdict({ ...about, ...more });
  assert.deepEqual(say({}), ["", ""]);
  assert.deepEqual(say({ own: { correct: true }, points: 820 }), ["right", "Right! 820 points."]);
  assert.deepEqual(say({ own: { correct: true } }), ["right", "Right!"]);
  assert.deepEqual(say({ own: { correct: false }, points: 0 }), ["wrong", "Wrong."]);
  assert.deepEqual(say({ refusal: "Your answer came too late." }), ["wrong", "Your answer came too late."]);
  assert.deepEqual(say({ phase: "leaderboard" }), ["", "You did not answer."]);
  assert.deepEqual(say({ phase: "leaderboard", isHost: true }), ["", ""]);
});

test("a leaderboard shows the first ones and oneself, with a gap where somebody is left out", () => {
  const board = [place(1, "Ann", 9), place(2, "Bob", 8), place(3, "Cy", 7), place(4, "Di", 6)];
  const rows = (ownId) => words.boardRows(board, ownId, 2).map((row) => [row.display_name, row.isMe, row.isAfterGap]);
  assert.deepEqual(rows(""), [["Ann", false, false], ["Bob", false, false]]);
  assert.deepEqual(rows("bob"), [["Ann", false, false], ["Bob", true, false]]);
  assert.deepEqual(rows("cy").at(-1), ["Cy", true, false]);
  assert.deepEqual(rows("di").at(-1), ["Di", true, true]);
  assert.equal(words.placeWords(board, "cy"), "You are 3rd of 4 with 7 points.");
  assert.equal(words.placeWords(board, "nobody"), "");
});

const PLAYERS = [
  { participant_id: "ada", display_name: "Ada", connection_state: "connected" },
  { participant_id: "ben", display_name: "Ben", connection_state: "connected" },
];
const duel = (leaderboard, more = {}, ending = "finished") =>
  words.duelResult({ ending, state: { participants: PLAYERS, left: {}, participant_id: "ada", leaderboard, ...more } });

test("a duel is won, lost or a draw, by its standing", () => {
  assert.equal(duel([place(1, "Ada", 9), place(2, "Ben", 3)])[0], "You have won");
  assert.equal(duel([place(1, "Ben", 9), place(2, "Ada", 3)])[0], "Ben has won");
  assert.equal(duel([place(1, "Ada", 9), place(1, "Ben", 9)])[0], "A draw");
  assert.equal(duel([])[0], "The game is over");
});

test("who leaves loses, whatever the points say, and it is told who has left", () => {
  const won = [place(1, "Ada", 0), place(2, "Ben", 900)];
  assert.deepEqual(duel(won, { left: { ben: "left" } }), ["You have won", "Ben left the game."]);
  assert.deepEqual(duel(null, { left: { ben: "grace_expired" } }), ["You have won", "Ben did not come back."]);
  assert.deepEqual(duel(won, { left: { ada: "left" } }), ["You have left the game", "Who leaves loses."]);
  assert.deepEqual(duel([], { left: { ada: "grace_expired" } }), ["You have lost", "You were away for too long."]);
  assert.equal(duel(null, {}, "left")[0], "You have left the game");
  assert.equal(duel(null, {}, "out")[0], "You have lost");
  assert.deepEqual(duel(null, {}, "gone"), ["This game is not open to you any more", ""]);
});

test("an event ends with one's place", () => {
  const end = (leaderboard, ending = "finished") =>
    words.eventResult({ ending, state: { leaderboard, participant_id: "ada" } });
  assert.deepEqual(end([place(1, "Ada", 5), place(2, "Ben", 1)]), ["You have won!", "5 points, 1st of 2."]);
  assert.deepEqual(end([place(1, "Ben", 5), place(2, "Ada", 1)]), ["You came 2nd", "1 point, 2nd of 2."]);
  assert.equal(end([place(1, "Ada", 5), place(1, "Ben", 5)])[0], "You share the first place");
  assert.deepEqual(end([place(1, "Ben", 5)]), ["The event is over", ""]);
  assert.equal(end(null, "left")[0], "You have left the event");
  assert.equal(end(null, "out")[0], "You are no longer in this event");
});

test("a change of rating is told where there is one", () => {
  const won = { before: 1500, after: 1512.4, provisional: true };
  const lost = { before: 1612.4, after: 1604.2, provisional: false };
  const said = [undefined, {}, { rating_change: won }, { rating_change: lost }].map(words.ratingWords);
  assert.deepEqual(said, ["", "", "Rating 1512 (+12), provisional", "Rating 1604 (−8)"]);
});

test("who listens hears the question with its choices, then the verdict, then the answer", () => {
  const state = { phase: "question", question: QUESTION, correct_choice: null };
  assert.equal(words.quizSpoken(state, ""), "Question 2 of 5. Which is red? 1: Mars. 2: Venus. 3: Earth.");
  assert.equal(words.quizSpoken(state, "Right! 820 points."), "Right! 820 points.");
  assert.equal(words.quizSpoken({ ...state, phase: "leaderboard", correct_choice: 0 }, "Wrong."), "The answer is Mars. Wrong.");
});

test("the points of a team add up, where the players can be told apart", () => {
  const place = (rank, name, score) => ({ rank, participant_id: name, display_name: name, score });
  const leaderboard = [place(1, "Cas", 900), place(2, "Ada", 800), place(3, "Ben", 700), place(4, "Dan", 100)];
  const participants = leaderboard.map(({ participant_id, display_name }) => ({ participant_id, display_name }));
  const state = { leaderboard, participants, left: {}, participant_id: "Ada" };
  const opponents = [{ display_name: "Cas" }, { display_name: "Dan" }];
  const told = (more, against = opponents) => words.duelResult({ state: { ...state, ...more }, ending: "finished" }, against);
  const place2 = "You are 2nd of 4 with 800 points.";
  assert.deepEqual(told({}), ["Your team has won", `1500 to 1000. ${place2}`]);
  assert.equal(told({}, [{ display_name: "Ben" }, { display_name: "Cas" }])[0], "The other team has won");
  assert.deepEqual(told({}, []), ["The game is over", place2]);
  assert.deepEqual(told({ left: { Dan: "left" } }), ["The game is over", `Dan left the game. ${place2}`]);
  const twins = leaderboard.map((one) => ({ ...one, display_name: "Ada" }));
  assert.equal(told({ leaderboard: twins })[0], "The game is over");
});
