/** A session's state: an old snapshot and the events since give what a fresh snapshot gives, whatever has happened. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { reduce, SESSION } from "../../realtime/static/realtime/state.js";
import { withNewName, withNewcomer } from "../../realtime/static/realtime/standing.js";
import { EMPTY_SESSION } from "./cast.js";
import { chance } from "./chance.js";

const HISTORIES = 2000;
const OF = 3;
const CHOICES = 4;
const NAMES = ["Ada", "Ben", "Cleo", "\u{1F600}", "\uFFFD", "Änne", "ada", ""];

/** An event as the server holds it, in small; "p1" looks, or the host. */
class Event {
  seq = 0;
  game = { phase: "lobby", ends_at: null, question: null, correct_choice: null, tally: null, leaderboard: null };
  people = [];
  locked = false;
  finishedAt = null;
  told = [];

  constructor(seed) {
    this.chance = chance(seed);
    this.isHost = this.chance.happens(0.3);
    this.joins();
  }

  tells(type, data, more = {}) {
    this.seq++;
    this.told.push({ type, seq: this.seq, id: `id${this.seq}`, timestamp: this.time, data: structuredClone(data), ...more });
  }

  get time() {
    return `2030-01-01T12:${String(this.seq % 60).padStart(2, "0")}:00Z`;
  }

  get number() {
    return this.game.question?.number ?? this.asked ?? 0;
  }

  joins() {
    const participant_id = `p${this.people.length + 1}`;
    const display_name = this.chance.pick(NAMES);
    this.people.push({ participant_id, display_name, connection_state: "connected", score: 0, answers: [] });
    this.tells("participant_joined", { participant_id, display_name });
    this.ranks();
  }

  someone(...states) {
    const fitting = this.people.filter((one) => states.includes(one.connection_state));
    return fitting.length ? this.chance.pick(fitting) : null;
  }

  moves(state, type, more, ...from) {
    const one = this.someone(...from);
    if (!one) return;
    one.connection_state = state;
    this.tells(type, { participant_id: one.participant_id, ...more(one) });
    this.ranks();
  }

  renames() {
    const one = this.chance.pick(this.people);
    one.display_name = this.chance.pick(NAMES);
    this.tells("participant_renamed", { participant_id: one.participant_id, display_name: one.display_name });
    this.ranks();
  }

  locks() {
    this.locked = !this.locked;
    this.tells("lock_changed", { locked: this.locked });
  }

  standing() {
    const codes = (text) => [...text].map((one) => one.codePointAt(0).toString(16).padStart(6, "0")).join("");
    const key = (one) => [String(10 ** 7 - one.score).padStart(8, "0"), codes(one.display_name) + " ", one.participant_id].join();
    const sorted = [...this.people].sort((a, b) => (key(a) < key(b) ? -1 : 1));
    return sorted.map(({ participant_id, display_name, score }) => ({
      rank: 1 + this.people.filter((one) => one.score > score).length, participant_id, display_name, score,
    }));
  }

  ranks() {
    if (this.game.leaderboard) this.game.leaderboard = this.standing();
  }

  goesOn() {
    const { phase, question } = this.game;
    if (phase === "question") {
      const leaderboard = this.standing();
      this.game = { ...this.game, phase: "leaderboard", ends_at: null, correct_choice: 1, tally: [1, 2, 0, 0], leaderboard };
    } else if (this.number < OF) {
      const number = this.number + 1;
      this.asked = number;
      const next = { question_id: `q${number}`, number, of: OF, text: "?", choices: ["a", "b", "c", "d"], seconds: 9, deadline: this.time };
      this.game = { ...this.game, phase: "question", ends_at: this.time, question: next, correct_choice: null, tally: null, leaderboard: null };
    } else return this.finishes();
    this.tells("game_state_update", { session_id: "s1", state: this.game, timestamp: this.time });
    return question;
  }

  finishes() {
    const leaderboard = this.standing();
    this.finishedAt = `2030-01-01T12:${String((this.seq + 1) % 60).padStart(2, "0")}:00Z`;
    this.game = { phase: "finished", ends_at: null, question: null, correct_choice: null, tally: null, leaderboard };
    if (this.chance.happens(0.5)) this.tellsEnd();
    this.tells("game_over", { session_id: "s1", standing: leaderboard }, { timestamp: this.finishedAt });
  }

  tellsEnd() {
    this.tells("game_state_update", { session_id: "s1", state: this.game, timestamp: this.finishedAt }, { timestamp: this.finishedAt });
  }

  answers() {
    if (this.game.phase !== "question") return;
    const one = this.chance.pick(this.people);
    const { question_id } = this.game.question;
    let given = one.answers.find((answer) => answer.question_id === question_id);
    const choice = this.chance.below(CHOICES);
    const accepted = !given || given.choice === choice;
    if (!given) {
      given = { question_id, choice, correct: choice === 1, points: choice === 1 ? 500 + this.chance.below(500) : 0 };
      one.answers.push(given);
      one.score += given.points;
    }
    if (this.isHost || one.participant_id !== "p1") return;
    const data = { question_id, accepted, choice: given.choice, correct: given.correct, score: one.score };
    this.told.push({ type: "answer_result", ref: "1", timestamp: this.time, data });
  }

  snapshot(missed = []) {
    const [{ score, answers }] = this.people;
    const open = this.game.phase === "question" ? { answered: 0 } : {};
    const own = this.isHost ? open : { participant_id: "p1", score, answers };
    const participants = this.people.map(({ score: _, answers: __, ...one }) => one);
    const { participant_id: _, score: __, answers: ___, ...empty } = EMPTY_SESSION;
    const session = { ...empty.session, kind: "event", finished_at: this.finishedAt };
    const data = { ...empty, ...this.game, ...own, session, participants, locked: this.locked, seq: this.seq, missed };
    return { type: "state_restored", timestamp: this.time, data: structuredClone(data) };
  }

  step() {
    if (this.finishedAt) return;
    const gone = () => ({ reason: "left" });
    const steps = {
      joins: () => this.joins(),
      renames: () => this.renames(),
      locks: () => this.locks(),
      goesOn: () => this.goesOn(),
      answers: () => this.answers(),
      answersToo: () => this.answers(),
      drops: () => this.moves("temporarily_disconnected", "participant_temporarily_disconnected", () => ({ grace_seconds: 30 }), "connected"),
      returns: () => this.moves("connected", "participant_reconnected", () => ({}), "temporarily_disconnected"),
      leaves: () => this.moves("disconnected", "participant_left", gone, "connected", "temporarily_disconnected"),
      comesAgain: () => this.moves("connected", "participant_joined", (one) => ({ display_name: one.display_name }), "disconnected"),
    };
    steps[this.chance.pick(Object.keys(steps))]();
  }
}

/** Since when somebody is away and why somebody left is told by events alone. */
function comparable({ away: _, left: __, ...state }) {
  return state;
}

test(`in ${HISTORIES} histories an old snapshot and events give a fresh snapshot, also with some twice`, () => {
  for (let seed = 1; seed <= HISTORIES; seed++) {
    const event = new Event(seed);
    const { below, happens, pick } = event.chance;
    for (let steps = below(25); steps > 0; steps--) event.step();
    let state = reduce(SESSION, event.snapshot());
    event.told = [];
    for (let steps = 1 + below(25); steps > 0; steps--) event.step();
    const heard = [];
    for (const message of event.told) {
      heard.push(message);
      if (happens(0.2)) heard.push(pick(heard));
    }
    state = heard.filter((one, at) => one.seq !== undefined || heard.indexOf(one) === at).reduce(reduce, state);
    assert.deepEqual(comparable(state), comparable(reduce(SESSION, event.snapshot())), `with seed ${seed}`);
  }
});

test("what was missed says who is away and who has left, as if it had been heard", () => {
  for (let seed = 1; seed <= 500; seed++) {
    const event = new Event(seed);
    const first = event.snapshot();
    event.told = [];
    for (let steps = 0; steps < 20; steps++) event.step();
    const durable = event.told.filter(({ seq }) => seq !== undefined);
    const heard = durable.reduce(reduce, reduce(SESSION, first));
    const missed = reduce(reduce(SESSION, first), event.snapshot(durable));
    assert.deepEqual([missed.away, missed.left], [heard.away, heard.left], `with seed ${seed}`);
  }
});

const QUESTION = { question_id: "q1", number: 1, of: 3, text: "?", choices: ["a", "b"], seconds: 9, deadline: "2030-01-01T12:00:09Z" };
const restored = (more) =>
  reduce(SESSION, { type: "state_restored", timestamp: "", data: { ...EMPTY_SESSION, seq: 0, resumed: false, gap: false, missed: [], ...more } });
const result = (more) => ({ type: "answer_result", timestamp: "", data: { question_id: "q1", accepted: true, choice: 1, correct: true, score: 900, ...more } });

test("one's own answer and score are known at once, and a refused one is none", () => {
  const state = restored({ phase: "question", question: QUESTION });
  const answered = reduce(state, result());
  assert.deepEqual(answered.answers, [{ question_id: "q1", choice: 1, correct: true, points: 900 }]);
  assert.equal(answered.score, 900);
  assert.deepEqual(reduce(answered, result({ accepted: false })).answers, answered.answers);
  assert.deepEqual(reduce(state, result({ accepted: false, choice: null, correct: null, score: 0 })).answers, []);
});

test("the host has no score and no answers, and a question begins with nobody having answered", () => {
  const { participant_id: _, score: __, answers: ___, ...rest } = EMPTY_SESSION;
  const host = reduce(SESSION, { type: "state_restored", timestamp: "", data: { ...rest, answered: 3, seq: 0, missed: [] } });
  assert.deepEqual([host.participant_id, host.score, host.answers, host.answered], ["", null, null, 3]);
  const state = { phase: "question", ends_at: "", question: QUESTION, correct_choice: null, tally: null, leaderboard: null };
  const asked = reduce(host, { type: "game_state_update", seq: 1, timestamp: "", data: { session_id: "s1", state, timestamp: "" } });
  assert.equal(asked.answered, 0);
});

test("game_over alone is the end: the phase, and the standing as the leaderboard", () => {
  const standing = [{ rank: 1, participant_id: "p1", display_name: "Ada", score: 7 }];
  const state = restored({ phase: "question", question: QUESTION, ends_at: QUESTION.deadline });
  const over = reduce(state, { type: "game_over", seq: 1, timestamp: "2030-01-01T12:01:00Z", data: { session_id: "s1", standing } });
  assert.deepEqual([over.phase, over.ends_at, over.question, over.score], ["finished", null, null, 7]);
  assert.equal(over.leaderboard, standing);
  assert.equal(over.session.finished_at, "2030-01-01T12:01:00Z");
});

test("a newcomer stands behind all who have points, and a name that changes is put where it belongs", () => {
  const standing = [
    { rank: 1, participant_id: "p1", display_name: "Ada", score: 7 },
    { rank: 2, participant_id: "p2", display_name: "Ben", score: 0 },
  ];
  const joined = withNewcomer(standing, { participant_id: "p3", display_name: "Abe" });
  assert.deepEqual(joined.map(({ rank, display_name }) => [rank, display_name]), [[1, "Ada"], [2, "Abe"], [2, "Ben"]]);
  assert.equal(withNewcomer(joined, { participant_id: "p3", display_name: "Abe" }), joined);
  const named = withNewName(joined, { participant_id: "p3", display_name: "Ben B" });
  assert.deepEqual(named.map(({ display_name }) => display_name), ["Ada", "Ben", "Ben B"]);
});
