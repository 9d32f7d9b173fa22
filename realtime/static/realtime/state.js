/**
 * What a client knows, as a pure function of what the server said: a snapshot, then events.
 *
 * The state mirrors the wire, so its names are the wire's. Snapshot plus events gives what a fresh snapshot
 * would give; only `notice` (what happened last, for people), `away` (since when somebody is away) and `left`
 * (why somebody left) come from events alone. An event whose `seq` is known already changes nothing.
 */

import { matchmaking } from "./matchmaking-state.js";
import { session } from "./session-state.js";

export { MATCHMAKING } from "./matchmaking-state.js";
export { SESSION } from "./session-state.js";

/** @import { MatchmakingMessage, MatchmakingState, Message, SessionMessage, SessionState } from "./types.js" */

/**
 * @overload
 * @param {MatchmakingState} state
 * @param {MatchmakingMessage} message
 * @returns {MatchmakingState} the same object where nothing changes
 */
/**
 * @overload
 * @param {SessionState} state
 * @param {SessionMessage} message
 * @returns {SessionState} the same object where nothing changes
 */
/**
 * @param {any} state
 * @param {Message} message
 * @returns {any}
 */
export function reduce(state, message) {
  const apply = APPLY[/** @type {keyof typeof APPLY} */ (state.socket)][message.type];
  const isOld = message.seq !== undefined && message.seq <= state.seq;
  if (!apply || isOld) return state;
  const next = apply(state, message.data, message);
  return message.seq === undefined ? next : { ...next, seq: message.seq };
}

/** @type {Record<"matchmaking" | "session", Record<string, Function>>} */
const APPLY = { matchmaking, session };

/** The types that change the state of each socket. */
export const APPLIED = Object.freeze({
  matchmaking: Object.freeze(Object.keys(matchmaking)),
  session: Object.freeze(Object.keys(session)),
});
