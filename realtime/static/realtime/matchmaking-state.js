/** What each message of `/ws/matchmaking/` changes; see state.js. */

import { afterMissed, afterParty, withInvitation } from "./party-state.js";

/** @import { ActiveState, Challenge, Changes, FoundMatch, Match, MatchmakingEvent, MatchmakingMessage } from "./types.js" */
/** @import { MatchmakingState, Notice, Ticket } from "./types.js" */

/**
 * Nothing is known yet: before the first snapshot.
 * @type {Readonly<MatchmakingState>}
 */
export const MATCHMAKING = Object.freeze({
  socket: "matchmaking",
  restored: false,
  seq: 0,
  user_id: null,
  ticket: null,
  waiting: null,
  match: null,
  session_id: null,
  challenges: Object.freeze({ incoming: [], outgoing: [] }),
  party: null,
  invitations: [],
  notice: null,
});

/** @type {Changes<MatchmakingState, MatchmakingMessage>} */
export const matchmaking = {
  connected: (state, data) => ({ ...state, user_id: data.user_id }),

  state_restored: (state, data) => ({
    ...state,
    ...activeOf(data, state),
    restored: true,
    seq: data.seq,
    invitations: afterMissed(state, data.missed, data.party),
    notice: noticeOf(data.missed, state.notice),
  }),

  active_read: (state, data) => ({ ...state, ...activeOf(data, state) }),

  // Who queues is in no match: what is left of the last one is over.
  queue_joined: (state, ticket) => ({ ...state, ticket, waiting: null, match: null, session_id: null, notice: null }),

  queue_update: (state, data) =>
    onTicket(state, data.queue_entry_id, {
      position: data.position,
      estimated_wait_seconds: data.estimated_wait,
      rating_window: data.rating_window,
    }, { waiting: data.waiting }),

  queue_cancelled: (state, data, message) => ({
    ...state,
    ticket: ticketWithout(state.ticket, data.queue_entry_id),
    notice: noticeFrom(message),
  }),

  // A health check goes to reserved players alone. With a ticket that searches, it says that there is a match.
  ping: (state) => onTicket(state, state.ticket?.queue_entry_id, { status: "RESERVED" }, { notice: null }),

  match_found: (state, data, { timestamp }) => ({
    ...onTicket(state, data.queue_entry_id, { status: "RESERVED", match_id: data.match_id }),
    match: {
      match_id: data.match_id,
      game_id: data.game_id,
      pool_key: data.pool_key,
      stage: data.accept_within_ms === undefined ? "found" : "accepting",
      opponents: data.opponents,
      color: data.color,
      join_url: null,
      ...NO_READY_CHECK,
      accept_by: data.accept_within_ms === undefined ? null : later(timestamp, data.accept_within_ms),
    },
    notice: null,
  }),

  match_acceptance: (state, { match_id, accepted, needed }) => {
    const { match } = state;
    const isOurs = match?.match_id === match_id && match.stage !== "confirmed";
    return isOurs ? { ...state, match: { ...match, stage: "accepting", accepted, needed } } : state;
  },

  match_ready: (state, data) => ({
    ...state,
    ticket: null,
    match: {
      ...(state.match?.match_id === data.match_id ? state.match : UNKNOWN_MATCH),
      ...NO_READY_CHECK,
      match_id: data.match_id,
      game_id: data.game_id,
      stage: "confirmed",
      join_url: data.join_url ?? null,
    },
    session_id: data.session_id ?? null,
    notice: null,
  }),

  match_cancelled: (state, data, message) => {
    const isOurs = state.match === null || state.match.match_id === data.match_id;
    const { requeued, queue_entry_id: id } = data;
    return {
      ...state,
      ticket: requeued ? requeuedTicket(state.ticket, data.position) : ticketWithout(state.ticket, id),
      match: isOurs ? null : state.match,
      notice: noticeFrom(message),
    };
  },

  challenge_received: (state, challenge) => withChallenge(state, challenge),

  challenge_updated: (state, challenge) => withChallenge(state, challenge),

  party_invited: (state, party) => ({ ...state, invitations: withInvitation(state.invitations, party) }),

  party_updated: (state, party) => ({ ...state, ...afterParty(state, party) }),
};

/**
 * A challenge is among those that wait while it is pending, the newest first, on the side that it is of.
 * @param {MatchmakingState} state
 * @param {Challenge} challenge
 */
function withChallenge(state, challenge) {
  const side = challenge.challenger.user_id === state.user_id ? "outgoing" : "incoming";
  const others = state.challenges[side].filter((each) => each.challenge_id !== challenge.challenge_id);
  const waiting = challenge.status === "PENDING" ? [challenge, ...others] : others;
  waiting.sort((one, other) => (one.challenge_id < other.challenge_id ? 1 : -1));
  return { ...state, challenges: { ...state.challenges, [side]: waiting } };
}

/** @type {Readonly<Pick<FoundMatch, "accept_by" | "accepted" | "needed">>} */
const NO_READY_CHECK = Object.freeze({ accept_by: null, accepted: 0, needed: null });

/** @param {string} time as the wire has it @param {number} ms */
function later(time, ms) {
  return new Date(Date.parse(time) + ms).toISOString();
}

/** @type {Readonly<Pick<FoundMatch, "pool_key" | "opponents" | "color">>} */
const UNKNOWN_MATCH = Object.freeze({ pool_key: null, opponents: [], color: null });

/** What a user is in, as the state has it. @param {ActiveState} data @param {MatchmakingState} state */
function activeOf(data, state) {
  const { ticket, match, session_id, challenges, party } = data;
  const isLive = ticket !== null && (ticket.status === "SEARCHING" || ticket.status === "RESERVED");
  const waiting = ticket?.queue_entry_id === state.ticket?.queue_entry_id ? state.waiting : null;
  return { ticket: isLive ? ticket : null, waiting, match: match && matchOf(match, state), session_id, challenges, party };
}

/**
 * @param {MatchmakingState} state
 * @param {string | null | undefined} queueEntryId
 * @param {Partial<Ticket>} changes
 * @param {Partial<MatchmakingState>} [others]
 * @returns {MatchmakingState}
 */
function onTicket(state, queueEntryId, changes, others = {}) {
  const { ticket } = state;
  if (ticket === null || ticket.queue_entry_id !== queueEntryId) return state;
  return { ...state, ...others, ticket: { ...ticket, ...changes } };
}

/** @param {Ticket | null} ticket @param {number | null} position @returns {Ticket | null} */
function requeuedTicket(ticket, position) {
  return ticket && { ...ticket, status: "SEARCHING", position, match_id: null };
}

/** @param {Ticket | null} ticket @param {string | null} queueEntryId of the one that has ended */
function ticketWithout(ticket, queueEntryId) {
  return ticket !== null && ticket.queue_entry_id === queueEntryId ? null : ticket;
}

/**
 * The snapshot tells of all players, the event of the others.
 * @param {Match} match
 * @param {MatchmakingState} state
 * @returns {FoundMatch}
 */
function matchOf(match, state) {
  const known = state.match?.match_id === match.match_id ? state.match : null;
  const isOn = match.status === "CONFIRMED";
  const own = match.players.find((player) => player.user_id === state.user_id);
  const { accept_by, accepted, needed } = isOn ? NO_READY_CHECK : (known ?? NO_READY_CHECK);
  const isAccepting = match.status === "AWAITING_ACCEPTANCE" || known?.stage === "accepting";
  return {
    match_id: match.match_id,
    game_id: match.game_id,
    pool_key: match.pool_key,
    stage: isOn ? "confirmed" : isAccepting ? "accepting" : "found",
    opponents: match.players
      .filter((player) => player.team !== own?.team)
      .map(({ user_id, display_name, rating }) => ({ user_id, display_name, rating })),
    color: own?.color ?? null,
    join_url: known?.join_url ?? null,
    accept_by,
    accepted,
    needed,
  };
}

/** @typedef {Extract<MatchmakingEvent, {type: "queue_cancelled" | "match_cancelled"}>} News */

/** @param {News} news @returns {Notice} */
function noticeFrom(news) {
  const { requeued, position } = news.type === "match_cancelled" ? news.data : { requeued: false, position: null };
  return { type: news.type, seq: news.seq, reason: news.data.reason, requeued, position };
}

const NEWS = new Set(["queue_cancelled", "match_cancelled", "queue_joined", "match_found", "match_ready"]);

/** What was missed is news, unless the player has gone on since. @param {MatchmakingEvent[]} missed @param {Notice | null} old */
function noticeOf(missed, old) {
  const last = missed.findLast((message) => NEWS.has(message.type));
  if (last === undefined) return old;
  return last.type === "queue_cancelled" || last.type === "match_cancelled" ? noticeFrom(last) : null;
}
