/** What a quiz says: the question, one's answer, the leaderboard, the result. Pure: state in, words out. */

import { LEFT } from "../shared/words.js";

/** @typedef {{rank: number, participant_id: string, display_name: string, score: number}} Standing */

const SHORT_MS = 5000;

/** @param {number} ms @returns {[words: string, isShort: boolean]} */
export function timeLeft(ms) {
  return [ms > 0 ? String(Math.ceil(ms / 1000)) : "Time is up", ms > 0 && ms <= SHORT_MS];
}

/** @param {number} number */
export function ordinal(number) {
  const tens = number % 100;
  const ending = tens > 10 && tens < 14 ? "th" : ({ 1: "st", 2: "nd", 3: "rd" }[number % 10] ?? "th");
  return `${number}${ending}`;
}

/** @param {number} count */
export function points(count) {
  return `${count} ${count === 1 ? "point" : "points"}`;
}

/** @param {{phase: string, question: any}} state */
export function numberWords({ phase, question }) {
  const which = `${question.number} of ${question.of}`;
  return phase === "question" ? `Question ${which}` : `Answer ${which}`;
}

/**
 * How a choice is drawn.
 * @param {number} index
 * @param {{correct: number | null, own: {choice: number, correct: boolean} | null, sending: number | null}} answers
 * @returns {[state: "open" | "sending" | "right" | "wrong" | "dim", mark: string]}
 */
export function choiceWords(index, { correct, own, sending }) {
  if (sending === index) return ["sending", "Sending…"];
  const isOwn = own?.choice === index;
  if (index === correct) return ["right", isOwn ? "✓ Your answer" : "✓"];
  if (isOwn) return own.correct ? ["right", "✓ Your answer"] : ["wrong", "✗ Your answer"];
  return own || sending !== null || correct !== null ? ["dim", ""] : ["open", ""];
}

/**
 * What became of one's answer.
 * @param {{phase: string | null, own: {correct: boolean} | null, points: number | null, refusal: string, isHost: boolean}} about
 * @returns {[is: "right" | "wrong" | "", text: string]}
 */
export function verdict({ phase, own, points: gained, refusal, isHost }) {
  if (isHost) return ["", ""];
  if (own?.correct) return ["right", gained ? `Right! ${points(gained)}.` : "Right!"];
  if (own) return ["wrong", "Wrong."];
  if (refusal) return ["wrong", refusal];
  return phase === "leaderboard" ? ["", "You did not answer."] : ["", ""];
}

/**
 * The rows of a leaderboard that are shown: the first ones, and one's own wherever it is.
 * @param {readonly Standing[]} board
 * @param {string} ownId
 * @param {number} limit
 * @returns {(Standing & {isMe: boolean, isAfterGap: boolean})[]}
 */
export function boardRows(board, ownId, limit) {
  const rows = board.map((one) => ({ ...one, isMe: one.participant_id === ownId, isAfterGap: false }));
  const own = rows.findIndex((one) => one.isMe);
  if (own < limit) return rows.slice(0, limit);
  return [...rows.slice(0, limit), { ...rows[own], isAfterGap: own > limit }];
}

/** @param {readonly Standing[]} board @param {string} ownId */
export function placeOf(board, ownId) {
  return board.find((one) => one.participant_id === ownId) ?? null;
}

/** @param {readonly Standing[]} board @param {string} ownId @returns {string} such as "You are 2nd of 12 with 3 points." */
export function placeWords(board, ownId) {
  const own = placeOf(board, ownId);
  return own ? `You are ${ordinal(own.rank)} of ${board.length} with ${points(own.score)}.` : "";
}

/**
 * Who has won a duel, seen by one of the two; null where nobody can say.
 * @param {readonly Standing[]} board
 * @param {string} ownId
 * @returns {"won" | "lost" | "draw" | null}
 */
export function outcome(board, ownId) {
  const own = placeOf(board, ownId);
  if (!own) return null;
  const best = board.filter((one) => one.rank === 1);
  if (own.rank > 1) return "lost";
  return best.length > 1 ? "draw" : "won";
}

/** @param {{participants: readonly any[], left: Record<string, string>, participant_id: string}} state */
function departures({ participants, left, participant_id: ownId }) {
  const gone = participants.filter((one) => left[one.participant_id] && one.participant_id !== ownId);
  return gone.map((one) => `${one.display_name} ${LEFT[left[one.participant_id]] ?? LEFT.left}.`).join(" ");
}

/** @type {Record<string, [title: string, text: string]>} */
const ENDED = {
  left: ["You have left the game", "Who leaves loses."],
  out: ["You have lost", "You left, or were away for too long."],
  gone: ["This game is not open to you any more", ""],
  signed_out: ["Your sign-in is not valid any more", "Please sign in again."],
};

/**
 * How a game of teams ended: the points of a team add up. Null where the players cannot be told apart by their names, or
 * somebody has left.
 * @param {any} state
 * @param {readonly {display_name: string}[]} opponents
 * @returns {[title: string, text: string] | null}
 */
export function teamResult({ leaderboard, participants, left }, opponents) {
  const board = leaderboard ?? [];
  const names = new Set(board.map((/** @type {Standing} */ one) => one.display_name));
  const theirs = new Set(opponents.map((one) => one.display_name));
  const hasLeft = participants.some((/** @type {any} */ one) => left[one.participant_id]);
  if (names.size !== board.length || hasLeft || opponents.length === 0) return null;
  const sum = (/** @type {Standing[]} */ some) => some.reduce((total, one) => total + one.score, 0);
  const isTheirs = (/** @type {Standing} */ one) => theirs.has(one.display_name);
  const [own, other] = [sum(board.filter((one) => !isTheirs(one))), sum(board.filter(isTheirs))];
  const title = own === other ? "A draw" : own > other ? "Your team has won" : "The other team has won";
  return [title, `${own} to ${other}.`];
}

/**
 * How a duel ended.
 * @param {{state: any, ending: string | null}} room
 * @param {readonly {display_name: string}[]} [opponents] of the match, where there are teams
 * @returns {[title: string, text: string]}
 */
export function duelResult({ state, ending }, opponents = []) {
  const ownReason = state.left[state.participant_id];
  if (ending === "left" || ownReason === "left") return ENDED.left;
  if (ENDED[ending]) return ENDED[ending];
  if (ownReason) return ["You have lost", "You were away for too long."];
  if (state.participants.length > 2) return resultOfMany(state, opponents);
  const gone = departures(state);
  const won = outcome(state.leaderboard ?? [], state.participant_id) ?? (gone ? "won" : null);
  const others = state.participants.filter((/** @type {any} */ one) => one.participant_id !== state.participant_id);
  const name = others[0]?.display_name ?? "Your opponent";
  const titles = { won: "You have won", lost: `${name} has won`, draw: "A draw" };
  return [titles[won] ?? "The game is over", gone];
}

/** @returns {[title: string, text: string]} */
function resultOfMany(/** @type {any} */ state, /** @type {readonly {display_name: string}[]} */ opponents) {
  const own = placeOf(state.leaderboard ?? [], state.participant_id);
  const place = own ? placeWords(state.leaderboard, state.participant_id) : "";
  const [title, sums] = teamResult(state, opponents) ?? ["The game is over", departures(state)];
  return [title, [sums, place].filter(Boolean).join(" ")];
}

/** @type {Record<string, [title: string, text: string]>} */
const ENDED_EVENT = {
  left: ["You have left the event", "Join again with the code, while it goes on."],
  out: ["You are no longer in this event", "You left it, or were away for too long. You can join again with the code."],
  gone: ["This event is not open to you", ""],
  signed_out: ["Your place here has expired", "Join again with the code."],
};

/** How an event ended for a participant. @param {{state: any, ending: string | null}} room @returns {[title: string, text: string]} */
export function eventResult({ state, ending }) {
  if (ENDED_EVENT[ending]) return ENDED_EVENT[ending];
  const board = state.leaderboard ?? [];
  const own = placeOf(board, state.participant_id);
  if (!own) return ["The event is over", ""];
  const titles = { won: "You have won!", draw: "You share the first place", lost: `You came ${ordinal(own.rank)}` };
  return [titles[outcome(board, state.participant_id)], `${points(own.score)}, ${ordinal(own.rank)} of ${board.length}.`];
}

/** @param {any} standing of oneself @returns {string} empty where the data has no change of rating */
export function ratingWords(standing) {
  const change = standing?.rating_change;
  if (!change) return "";
  const [before, after] = [Math.round(change.before), Math.round(change.after)];
  const step = `${after < before ? "−" : "+"}${Math.abs(after - before)}`;
  return `Rating ${after} (${step})${change.provisional ? ", provisional" : ""}`;
}

/**
 * A question or its answer, for those who listen.
 * @param {{phase: string, question: any, correct_choice: number | null}} state
 * @param {string} said what became of one's answer, and where one stands
 */
export function quizSpoken({ phase, question, correct_choice: correct }, said) {
  if (phase === "leaderboard") return `The answer is ${question.choices[correct] ?? "not known"}. ${said}`.trim();
  if (said) return said;
  const choices = question.choices.map((/** @type {string} */ text, /** @type {number} */ index) => `${index + 1}: ${text}`);
  return `Question ${question.number} of ${question.of}. ${question.text} ${choices.join(". ")}.`;
}
