/**
 * What a client knows, as a pure function of what the server said: a snapshot, then events.
 *
 * The state mirrors the wire, so its names are the wire's. Snapshot plus events gives what a fresh snapshot
 * would give; only `notice` (what happened last, for people) and `away` (since when somebody is away) come
 * from events alone. An event whose `seq` is known already changes nothing.
 */

/** @import { MatchmakingState, Message, SessionState } from "./types.js" */

/**
 * Nothing is known yet: before the first snapshot of `/ws/matchmaking/`.
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
  notice: null,
});

/**
 * Nothing is known yet: before the first snapshot of `/ws/sessions/{id}/`.
 * @type {Readonly<SessionState>}
 */
export const SESSION = Object.freeze({
  socket: "session",
  restored: false,
  seq: 0,
  user_id: null,
  session: null,
  phase: null,
  participant_id: "",
  participants: Object.freeze([]),
  away: Object.freeze({}),
  left: Object.freeze({}),
  standing: null,
});

/**
 * @template {MatchmakingState | SessionState} S
 * @param {S} state
 * @param {Message} message
 * @returns {S} the same object where nothing changes
 */
export function reduce(state, message) {
  const apply = APPLY[state.socket][message.type];
  const isOld = message.seq !== undefined && message.seq <= state.seq;
  if (!apply || isOld) return state;
  const next = apply(state, message.data, message);
  return message.seq === undefined ? next : { ...next, seq: message.seq };
}

// --- the matchmaking socket

const matchmaking = {
  connected: (state, data) => ({ ...state, user_id: data.user_id }),

  state_restored: (state, data) => ({
    ...state,
    restored: true,
    seq: data.seq,
    ticket: isLive(data.ticket) ? data.ticket : null,
    waiting: data.ticket?.queue_entry_id === state.ticket?.queue_entry_id ? state.waiting : null,
    match: data.match && matchOf(data.match, state),
    session_id: data.session_id,
    challenges: data.challenges,
    party: data.party,
    notice: noticeOf(data.missed, state.notice),
  }),

  queue_joined: (state, ticket) => ({ ...state, ticket, waiting: null, notice: null }),

  queue_update: (state, data) =>
    onTicket(state, data.queue_entry_id, {
      position: data.position,
      estimated_wait_seconds: data.estimated_wait,
      rating_window: data.rating_window,
    }, { waiting: data.waiting }),

  queue_cancelled: (state, data, message) => ({
    ...state,
    ticket: isTicket(state, data.queue_entry_id) ? null : state.ticket,
    notice: noticeFrom(message),
  }),

  // A health check goes to reserved players alone. With a ticket that searches, it says that there is a match.
  ping: (state) => onTicket(state, state.ticket?.queue_entry_id, { status: "RESERVED" }, { notice: null }),

  match_found: (state, data) => ({
    ...onTicket(state, data.queue_entry_id, { status: "RESERVED", match_id: data.match_id }),
    match: {
      match_id: data.match_id,
      game_id: data.game_id,
      pool_key: data.pool_key,
      stage: "found",
      opponents: data.opponents,
      color: data.color,
      join_url: null,
    },
    notice: null,
  }),

  match_ready: (state, data) => ({
    ...state,
    ticket: null,
    match: {
      ...(state.match?.match_id === data.match_id ? state.match : UNKNOWN_MATCH),
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
    return {
      ...state,
      ticket: data.requeued ? requeued(state.ticket, data) : endedWith(state.ticket, data),
      match: isOurs ? null : state.match,
      notice: noticeFrom(message),
    };
  },
};

const UNKNOWN_MATCH = Object.freeze({ pool_key: null, opponents: [], color: null });

function isLive(ticket) {
  return ticket !== null && (ticket.status === "SEARCHING" || ticket.status === "RESERVED");
}

function isTicket(state, queueEntryId) {
  return state.ticket !== null && state.ticket.queue_entry_id === queueEntryId;
}

function onTicket(state, queueEntryId, changes, others = {}) {
  return isTicket(state, queueEntryId) ? { ...state, ...others, ticket: { ...state.ticket, ...changes } } : state;
}

function requeued(ticket, data) {
  if (ticket === null) return null;
  return { ...ticket, status: "SEARCHING", position: data.position, match_id: null };
}

function endedWith(ticket, data) {
  return ticket !== null && ticket.queue_entry_id === data.queue_entry_id ? null : ticket;
}

/** The snapshot tells of all players, the event of the others. */
function matchOf(match, state) {
  const isConfirmed = match.status === "CONFIRMED";
  return {
    match_id: match.match_id,
    game_id: match.game_id,
    pool_key: match.pool_key,
    stage: isConfirmed ? "confirmed" : "found",
    opponents: match.players
      .filter((player) => player.user_id !== state.user_id)
      .map(({ user_id, display_name, rating }) => ({ user_id, display_name, rating })),
    color: match.players.find((player) => player.user_id === state.user_id)?.color ?? null,
    join_url: state.match?.match_id === match.match_id ? state.match.join_url : null,
  };
}

function noticeFrom({ type, seq, data }) {
  return { type, seq, reason: data.reason, requeued: data.requeued ?? false, position: data.position ?? null };
}

const NEWS = new Set(["queue_cancelled", "match_cancelled"]);
const NEWER_NEWS = new Set([...NEWS, "queue_joined", "match_found", "match_ready"]);

/** What was missed is news, unless the player has gone on since. */
function noticeOf(missed, old) {
  const last = missed.findLast((message) => NEWER_NEWS.has(message.type));
  if (last === undefined) return old;
  return NEWS.has(last.type) ? noticeFrom(last) : null;
}

// --- the session socket

const session = {
  connected: (state, data) => ({ ...state, user_id: data.user_id }),

  state_restored: (state, data) => {
    const caughtUp = data.missed.reduce(rememberAbsence, state);
    return {
      ...state,
      restored: true,
      seq: data.seq,
      session: data.session,
      phase: data.phase,
      participant_id: data.participant_id ?? "",
      participants: data.participants,
      away: only(caughtUp.away, data.participants, "temporarily_disconnected"),
      left: only(caughtUp.left, data.participants, "disconnected"),
      standing: caughtUp.standing,
    };
  },

  participant_joined: (state, { participant_id, display_name }) => {
    const participant = { participant_id, display_name, connection_state: "connected" };
    const isKnown = state.participants.some((one) => one.participant_id === participant_id);
    if (isKnown) return onParticipant(state, participant);
    return { ...state, participants: [...state.participants, participant] };
  },

  participant_temporarily_disconnected: (state, { participant_id }, message) =>
    rememberAbsence(onParticipant(state, { participant_id, connection_state: "temporarily_disconnected" }), message),

  participant_reconnected: (state, { participant_id }) =>
    onParticipant(state, { participant_id, connection_state: "connected" }),

  participant_left: (state, { participant_id }, message) =>
    rememberAbsence(onParticipant(state, { participant_id, connection_state: "disconnected" }), message),

  game_over: (state, _data, message) => rememberAbsence({ ...state, phase: "finished" }, message),
};

function onParticipant(state, changes) {
  const participants = state.participants.map((one) =>
    one.participant_id === changes.participant_id ? { ...one, ...changes } : one,
  );
  return {
    ...state,
    participants,
    away: only(state.away, participants, "temporarily_disconnected"),
    left: only(state.left, participants, "disconnected"),
  };
}

/** What a snapshot does not tell: since when somebody is away, why somebody left, how it ended. */
function rememberAbsence(state, { type, timestamp, data }) {
  switch (type) {
    case "participant_temporarily_disconnected": {
      const absence = { since: timestamp, grace_seconds: data.grace_seconds };
      return { ...state, away: { ...state.away, [data.participant_id]: absence } };
    }
    case "participant_left":
      return { ...state, left: { ...state.left, [data.participant_id]: data.reason } };
    case "game_over":
      return { ...state, standing: data.standing };
    default:
      return state;
  }
}

function only(entries, participants, connectionState) {
  const ids = new Set(
    participants.filter((one) => one.connection_state === connectionState).map((one) => one.participant_id),
  );
  return Object.fromEntries(Object.entries(entries).filter(([id]) => ids.has(id)));
}

const APPLY = { matchmaking, session };

/** The types that change the state of each socket. */
export const APPLIED = Object.freeze({
  matchmaking: Object.freeze(Object.keys(matchmaking)),
  session: Object.freeze(Object.keys(session)),
});
