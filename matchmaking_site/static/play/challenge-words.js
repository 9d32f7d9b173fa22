/** What the pages say of challenges. Pure: state in, words out. */

/** @import { Challenge } from "../realtime/types.js" */

/** @typedef {{pool_key: string, name: string}} NamedPool */

/** @type {Record<string, string>} */
const REFUSALS = {
  cannot_challenge: "You cannot challenge this player.",
  challenge_exists: "You have asked this player for this game already, and the challenge still waits.",
  challenge_not_found: "There is no such challenge any more.",
  invalid_challenge_state: "This challenge has an answer already, was taken back, or its time is over.",
  not_awaiting_acceptance: "This match does not wait for your answer any more.",
  connection_lost: "The connection is lost. Try again when it is back.",
  match_not_finished: "The result of this game is not in yet. Try again in a moment.",
  matchmaking_unavailable: "There is no game to be had right now. The challenge waits on; try again in a moment.",
  pool_not_found: "This pool is closed.",
};

/** @param {any} error a `Problem` */
export function refusalWords(error) {
  const { code, status, message, errors } = error;
  if (code === "cannot_accept_challenge") return `${message}. The challenge waits on.`;
  if (code === "rate_limited") return `${message}. Wait for an answer, or withdraw one.`;
  if (REFUSALS[code]) return REFUSALS[code];
  if (errors?.opponent_id) return errors.opponent_id.includes(OWN) ? `${OWN}.` : "This is no player's id.";
  if (status >= 500) return "Something went wrong on our side. Try again in a moment.";
  return message;
}

const OWN = "You cannot challenge yourself";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** @param {number} ms @returns {string} empty where the time is over */
export function timeLeft(ms) {
  if (ms <= 0) return "";
  if (ms < HOUR_MS) {
    const seconds = Math.ceil(ms / 1000);
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} left`;
  }
  if (ms < 2 * DAY_MS) return `${Math.round(ms / HOUR_MS)} h left`;
  return `${Math.round(ms / DAY_MS)} days left`;
}

/** What is played. @param {Challenge} challenge @param {readonly NamedPool[] | null} pools */
export function gameName({ pool_key, mode, time_control }, pools) {
  const pool = pools?.find((one) => one.pool_key === pool_key);
  return pool?.name || pool_key || [mode, time_control].filter(Boolean).join(" ");
}

const COLORS = { WHITE: ["White", "Black"], BLACK: ["Black", "White"] };

/** @param {Challenge} challenge @param {boolean} isOwn */
function colorWords({ color_preference: wanted }, isOwn) {
  const [own, others] = COLORS[/** @type {keyof typeof COLORS} */ (wanted)] ?? ["", ""];
  if (!own) return "Colours are drawn";
  return `You play ${(isOwn ? own : others).toLowerCase()}`;
}

/**
 * What is asked for, in few words.
 * @param {Challenge} challenge
 * @param {{isOwn: boolean, pools: readonly NamedPool[] | null, msLeft: number}} about
 */
export function challengeFacts(challenge, { isOwn, pools, msLeft }) {
  const rated = challenge.rated ? "Rated" : "Not rated";
  return [gameName(challenge, pools), rated, colorWords(challenge, isOwn), timeLeft(msLeft)].filter(Boolean);
}

/** Whom nobody has seen play yet has no name. @param {Challenge["opponent"]} player */
function nameOf(player) {
  return player && player.display_name !== player.user_id ? player.display_name : "The other player";
}

/** One who asks oneself. @param {Challenge} challenge */
export function askWords({ challenger, rematch_of }) {
  return `${challenger.display_name} ${rematch_of ? "wants a rematch" : "challenges you"}`;
}

/** One's own challenge that waits. @param {Challenge} challenge */
export function ownWords({ opponent, rematch_of }) {
  if (opponent === null) return "Open to whoever has the link";
  return `${rematch_of ? "A rematch with" : "To"} ${opponent.display_name}`;
}

/**
 * How a challenge ended without a game; empty for one's own deeds, and where a game came about.
 * @param {Challenge} challenge
 * @param {string | null} userId
 */
export function endWords({ challenger, opponent, status, rematch_of }, userId) {
  const what = rematch_of ? "rematch" : "challenge";
  const isOwn = challenger.user_id === userId;
  if (status === "DECLINED" && isOwn) return `${nameOf(opponent)} has declined your ${what}.`;
  if (status === "CANCELLED" && !isOwn) return `${challenger.display_name} has taken the ${what} back.`;
  if (status !== "EXPIRED") return "";
  if (!isOwn) return `The ${what} by ${challenger.display_name} has expired.`;
  return opponent ? `${nameOf(opponent)} did not answer your ${what} in time.` : "Nobody took your open challenge in time.";
}

/**
 * What may be said and done about a game of two that is over.
 * @param {{incoming: readonly Challenge[], outgoing: readonly Challenge[]}} challenges
 * @param {string | null | undefined} matchId
 * @returns {{text: string, action: string, withdraw: string}} `withdraw` is the id of one's own challenge, else empty
 */
export function rematchWords({ incoming, outgoing }, matchId) {
  const isOfThis = (/** @type {Challenge} */ one) => one.rematch_of === matchId;
  const [asked, own] = [incoming.find(isOfThis), outgoing.find(isOfThis)];
  if (asked) return { text: "", action: "Accept the rematch", withdraw: "" };
  if (!own) return { text: "", action: "Rematch", withdraw: "" };
  const text = `You have asked ${own.opponent?.display_name} for a rematch.`;
  return { text, action: "Withdraw the rematch", withdraw: own.challenge_id };
}

/** @type {Record<string, (name: string) => [title: string, text: string]>} */
const ENDED = {
  DECLINED: () => ["This challenge was declined", ""],
  CANCELLED: (name) => ["This challenge is off", `${name} has taken it back.`],
  EXPIRED: (name) => ["This challenge has expired", `Ask ${name} for another one.`],
};

/**
 * The page of a challenge's link.
 * @param {{challenge: Challenge | null, problem: any, userId: string | null, msLeft: number}} opened `problem` is why it cannot be shown
 * @returns {[title: string, text: string]}
 */
export function openedWords({ challenge, problem, userId, msLeft }) {
  if (problem?.status === 404) {
    return ["There is no such challenge", "The link may be incomplete, or the challenge is for somebody else."];
  }
  if (challenge === null) return problem ? ["This challenge cannot be shown", problem.message] : ["One moment…", ""];
  const { challenger, opponent } = challenge;
  const isOwn = challenger.user_id === userId;
  const status = challenge.status === "PENDING" && msLeft <= 0 ? "EXPIRED" : challenge.status;
  if (status === "ACCEPTED") return acceptedWords(isOwn || opponent?.user_id === userId);
  if (isOwn && status !== "DECLINED") return ownOpenedWords(status, opponent);
  if (ENDED[status]) return ENDED[status](challenger.display_name);
  return [askWords(challenge), "When you accept, both of you are asked whether you are there. Then the game begins."];
}

/** @param {boolean} isMine @returns {[title: string, text: string]} */
function acceptedWords(isMine) {
  if (isMine) return ["This challenge was accepted", "Its game is over, or is about to begin."];
  return ["Somebody else was faster", "This challenge has been accepted."];
}

/** @param {string} status @param {Challenge["opponent"]} opponent @returns {[title: string, text: string]} */
function ownOpenedWords(status, opponent) {
  if (status === "CANCELLED") return ["You have taken this challenge back", ""];
  if (status === "EXPIRED") return ["Your challenge has expired", "Nobody accepted it in time."];
  if (opponent) return [`You challenge ${opponent.display_name}`, "Stay here: the game begins when it is accepted."];
  return ["Your open challenge", "Send this link to whom you want to play. Stay here: the game begins when somebody accepts."];
}

/**
 * Whom one has played lately, the latest first, each once.
 * @param {readonly {players: {user_id: string, display_name: string}[]}[]} matches newest first
 * @param {string | null} userId
 * @param {number} limit
 */
export function recentOpponents(matches, userId, limit) {
  /** @type {Map<string, {user_id: string, display_name: string}>} */
  const found = new Map();
  for (const player of matches.flatMap(({ players }) => players)) {
    if (player.user_id !== userId && !found.has(player.user_id)) found.set(player.user_id, player);
  }
  return [...found.values()].slice(0, limit);
}
