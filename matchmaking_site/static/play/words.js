/** What the page to play says of queue and match. Pure: state in, words out. */

import { someNames } from "../shared/words.js";

/** Before anybody has signed in. @param {boolean} isChallenged did the link of a challenge lead here? @returns {[title: string, text: string]} */
export function welcomeWords(isChallenged) {
  if (isChallenged) return ["You are challenged", "Say what you want to be called, and see who asks for a game."];
  return [
    "Find somebody to play with",
    "A match starts only when both of you have answered. Nobody is ever sent to an opponent who is not there.",
  ];
}

/** @param {number} seconds @returns {string} such as 1:05 or 61:00 */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${String(Math.floor(whole / 60)).padStart(2, "0")}:${String(whole % 60).padStart(2, "0")}`;
}

/** @param {number | null} seconds what is left of the usual wait; null where nothing is known */
export function estimate(seconds) {
  if (seconds === null || seconds === undefined) return "Not known yet";
  if (seconds === 0) return "Longer than usual";
  if (seconds < 5) return "A few seconds";
  if (seconds < 55) return `About ${Math.round(seconds / 5) * 5} s`;
  return `About ${Math.max(1, Math.round(seconds / 60))} min`;
}

/**
 * Why one is not matched yet, in a line; empty where there is nothing to say.
 * @param {{reason: string, candidates: number, nearest: {fits_in_seconds: number | null} | null} | null} explanation
 */
export function why(explanation) {
  if (explanation === null) return "";
  const { reason, candidates, nearest } = explanation;
  const others = candidates === 1 ? "1 other waits" : `${candidates} others wait`;
  const seconds = Math.max(1, Math.round(nearest?.fits_in_seconds ?? 0));
  const words = {
    nobody_waits: "Nobody else waits here yet.",
    fits_later: `${others}, the nearest fits in about ${seconds} s.`,
    never_fits: `${others}, and nobody comes near enough by the rules here.`,
    nobody_fits: `${others}, and none of them can be your opponent now.`,
    no_connection: "You are not connected; your place is kept for a while.",
    unreachable: "You could not be reached; your place is kept.",
    sitting_out: "You could not be reached, so you sit out for a moment; your place is kept.",
  };
  return words[reason] ?? "";
}

/** @param {{rating: number, rating_window: number}} ticket @returns {[window: string, range: string]} */
export function ratingWindow({ rating, rating_window: half }) {
  return [`±${Math.round(half)}`, `${Math.round(rating - half)} to ${Math.round(rating + half)}`];
}

/** @param {number} count */
export function waitingPlayers(count) {
  if (!count) return "Nobody waiting";
  return count === 1 ? "1 waiting" : `${count} waiting`;
}

/** @param {string} word of the wire, such as `rapid_duel` */
function plain(word) {
  const text = word.replaceAll("_", " ").trim();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/**
 * @param {{name: string, mode: string, time_control: string, rated: boolean, accept_seconds?: number | null,
 *   teams?: number, team_size?: number}} pool
 */
export function poolFacts(pool) {
  const mode = plain(pool.mode);
  const facts = [mode === pool.name ? "" : mode, pool.time_control, pool.rated ? "Rated" : "Not rated"];
  const { teams = 2, team_size: size = 1 } = pool;
  if (teams * size > 2) facts.push(size === 1 ? `${teams} players` : `${teams} teams of ${size}`);
  if (pool.accept_seconds) facts.push("With ready check");
  return facts.filter(Boolean);
}

/** @param {{display_name: string}[]} opponents */
export function names(opponents) {
  return someNames(opponents) || "Your opponent";
}

const MATCH_CANCELLED = {
  you_unreachable: "Your connection did not answer in time, so that match could not be made.",
  opponent_unreachable: "Your opponent was not there after all.",
  delivery_failed: "The match could not be confirmed with everybody in time.",
  opponent_cancelled: "Your opponent left just before the match.",
  you_declined: "You declined the match.",
  opponent_declined: "Your opponent declined the match.",
  game_service_unavailable: "The game service is not available right now.",
  cancelled_by_staff: "The match was cancelled by the staff.",
  internal_error: "Something went wrong on our side, and the match was cancelled.",
};

const QUEUE_CANCELLED = {
  user_request: "You have left the queue.",
  connection_timeout: "You were taken out of the queue, because your connection was silent for too long.",
  timed_out: "Nobody suitable turned up in time, so the search has ended.",
  declined: "You did not accept the match, so you are no longer in the queue.",
  staff: "The staff took you out of the queue.",
};

/** @param {{type: string, reason: string, requeued: boolean, position: number | null} | null} notice */
export function noticeText(notice) {
  if (notice === null) return "";
  if (notice.type === "queue_cancelled") return QUEUE_CANCELLED[notice.reason] ?? "Your search has ended.";
  const cause = MATCH_CANCELLED[notice.reason] ?? "The match was cancelled.";
  return notice.requeued ? `${cause} You are back in the queue at your place.` : cause;
}

/** Where a search is: the step that is under way. */
export function searchStep({ ticket, match }) {
  if (match?.stage === "confirmed") return "ready";
  if (match?.stage === "accepting") return "accepting";
  if (match) return "confirming";
  return ticket?.status === "RESERVED" ? "checking" : "searching";
}

/** @type {Record<string, (who: string, areMany: boolean) => [title: string, text: string]>} */
const SEARCH = {
  searching: () => ["Searching for an opponent", "You can keep this page in the background."],
  checking: () => ["Somebody suits you", "Checking that everybody is really there."],
  accepting: (who) => ["Are you ready?", `A match against ${who}. Who does not accept in time leaves the queue.`],
  accepted: (who) => ["You are ready", `The match against ${who} begins when everybody has accepted.`],
  confirming: (who, areMany) => [`${who} ${areMany ? "are" : "is"} there`, "Confirming the match with everybody."],
  ready: (who, areMany) => ["Your game is ready", `${who} ${areMany ? "are" : "is"} waiting for you.`],
};

/**
 * @param {any} state
 * @param {boolean} isConnected
 * @param {boolean} [hasAccepted] in a ready check, has the player said that it is ready?
 * @returns {[title: string, text: string]}
 */
export function searchWords(state, isConnected, hasAccepted = false) {
  const opponents = state.match?.opponents ?? [];
  const step = searchStep(state);
  const told = step === "accepting" && hasAccepted ? "accepted" : step;
  const [title, text] = SEARCH[told](names(opponents), opponents.length > 1);
  return [title, isConnected ? text : "Without a connection your place is kept for a short while only."];
}

/** How many are ready, empty where that is not known. @param {{accepted: number, needed: number | null}} match */
export function readyCount({ accepted, needed }) {
  return needed === null ? "" : `${accepted} of ${needed} have accepted`;
}

/**
 * The room before the first question: waiting for both, then a countdown.
 * @param {import("../shared/room.js").Room} room
 * @param {readonly {display_name: string}[]} [opponents] of the match, where there are teams
 * @returns {[title: string, text: string]}
 */
export function roomWords({ state, client, others }, opponents = []) {
  if (!state.restored) return ["Restoring session…", ""];
  const title = `You are playing ${someNames(others.length > 1 && opponents.length ? opponents : others)}`;
  if (client.state !== "open") return [title, "Without a connection your place is kept for a short while only."];
  const lost = others.filter((one) => state.away[one.participant_id]);
  if (lost.length) return [title, `${someNames(lost)} has lost the connection. The place is kept for a while.`];
  const absent = others.filter((one) => one.connection_state !== "connected");
  return [title, absent.length ? `Waiting for ${someNames(absent)}.` : others.length > 1 ? "Everybody is here." : "Both of you are here."];
}

/** What others' absence means for a question that is open; empty while all are there. */
export function absenceWords({ state, others }) {
  const lost = others.filter((/** @type {any} */ one) => one.connection_state === "temporarily_disconnected");
  return lost.length ? `${someNames(lost)} has lost the connection. The game goes on.` : "";
}

/** @param {{state: any}} room @param {number} secondsToNext */
export function nextWords({ state }, secondsToNext) {
  if (state.phase !== "leaderboard") return "";
  const what = state.question && state.question.number === state.question.of ? "The result" : "Next question";
  return secondsToNext > 0 ? `${what} in ${secondsToNext} s` : "";
}
