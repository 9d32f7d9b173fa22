/** What each message of `/ws/sessions/{id}/` changes; see state.js. */

import { withNewcomer, withNewName } from "./standing.js";

/** @import { Answer, AnswerResult, Changes, GameState, Participant, SessionEvent, SessionMessage, SessionState } from "./types.js" */

/**
 * Nothing is known yet: before the first snapshot.
 * @type {Readonly<SessionState>}
 */
export const SESSION = Object.freeze({
  socket: "session",
  restored: false,
  seq: 0,
  user_id: null,
  session: null,
  phase: null,
  ends_at: null,
  question: null,
  correct_choice: null,
  tally: null,
  leaderboard: null,
  participant_id: "",
  score: null,
  answers: null,
  answered: null,
  participants: Object.freeze([]),
  locked: false,
  away: Object.freeze({}),
  left: Object.freeze({}),
});

/** @type {Changes<SessionState, SessionMessage>} */
export const session = {
  connected: (state, data) => ({ ...state, user_id: data.user_id }),

  state_restored: (state, data) => {
    const caughtUp = data.missed.reduce(rememberAbsence, state);
    return {
      ...state,
      ...gameOf(data),
      restored: true,
      seq: data.seq,
      session: data.session,
      participant_id: data.participant_id ?? "",
      score: data.score ?? null,
      answers: data.answers ?? null,
      answered: data.answered ?? null,
      participants: data.participants,
      locked: data.locked,
      away: only(caughtUp.away, data.participants, "temporarily_disconnected"),
      left: only(caughtUp.left, data.participants, "disconnected"),
    };
  },

  participant_joined: (state, { participant_id, display_name }) => {
    /** @type {Participant} */
    const participant = { participant_id, display_name, connection_state: "connected" };
    const isKnown = state.participants.some((one) => one.participant_id === participant_id);
    if (isKnown) return renamed(onParticipant(state, participant), participant);
    const leaderboard = state.leaderboard && withNewcomer(state.leaderboard, participant);
    return { ...state, leaderboard, participants: [...state.participants, participant] };
  },

  participant_renamed: (state, { participant_id, display_name }) =>
    renamed(onParticipant(state, { participant_id, display_name }), { participant_id, display_name }),

  participant_temporarily_disconnected: (state, { participant_id }, message) =>
    rememberAbsence(onParticipant(state, { participant_id, connection_state: "temporarily_disconnected" }), message),

  participant_reconnected: (state, { participant_id }) =>
    onParticipant(state, { participant_id, connection_state: "connected" }),

  participant_left: (state, { participant_id }, message) =>
    rememberAbsence(onParticipant(state, { participant_id, connection_state: "disconnected" }), message),

  lock_changed: (state, { locked }) => ({ ...state, locked }),

  game_state_update: (state, { state: game, timestamp }) => gone(state, game, timestamp),

  game_over: (state, { standing }, { timestamp }) => gone(state, { ...OVER, leaderboard: standing }, timestamp),

  answer_result: (state, result) => ({
    ...state,
    score: result.score,
    answers: withAnswer(state.answers ?? [], result),
  }),
};

/** @type {Readonly<GameState>} */
const OVER = Object.freeze({
  phase: "finished",
  ends_at: null,
  question: null,
  correct_choice: null,
  tally: null,
  leaderboard: null,
});

/** @param {GameState} data @returns {GameState} */
function gameOf({ phase, ends_at, question, correct_choice, tally, leaderboard }) {
  return { phase, ends_at, question, correct_choice, tally, leaderboard };
}

/** The game has gone on. @param {SessionState} state @param {GameState} game @param {string} timestamp @returns {SessionState} */
function gone(state, game, timestamp) {
  const own = game.leaderboard?.find((one) => one.participant_id === state.participant_id);
  const isHost = state.participant_id === "";
  const finished_at = game.phase === "finished" ? (state.session?.finished_at ?? timestamp) : null;
  return {
    ...state,
    ...gameOf(game),
    session: state.session && { ...state.session, finished_at },
    score: own?.score ?? state.score,
    answered: isHost && game.phase === "question" ? 0 : null,
  };
}

/** What the answer scored is what the earlier ones have not. @param {readonly Answer[]} answers @param {AnswerResult} result */
function withAnswer(answers, { question_id, choice, correct, score }) {
  const isKnown = answers.some((one) => one.question_id === question_id);
  if (isKnown || choice === null) return answers;
  const points = score - answers.reduce((sum, one) => sum + one.points, 0);
  return [...answers, { question_id, choice, correct: correct === true, points: correct ? points : 0 }];
}

/**
 * @param {SessionState} state
 * @param {Pick<Participant, "participant_id"> & Partial<Participant>} changes
 * @returns {SessionState}
 */
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

/** @param {SessionState} state @param {{participant_id: string, display_name: string}} participant @returns {SessionState} */
function renamed(state, participant) {
  return { ...state, leaderboard: state.leaderboard && withNewName(state.leaderboard, participant) };
}

/**
 * What a snapshot does not tell: since when somebody is away, and why somebody left.
 * @param {SessionState} state
 * @param {SessionEvent} message
 * @returns {SessionState}
 */
function rememberAbsence(state, { type, timestamp, data }) {
  switch (type) {
    case "participant_temporarily_disconnected": {
      const absence = { since: timestamp, grace_seconds: data.grace_seconds };
      return { ...state, away: { ...state.away, [data.participant_id]: absence } };
    }
    case "participant_left":
      return { ...state, left: { ...state.left, [data.participant_id]: data.reason } };
    default:
      return state;
  }
}

/**
 * @template V
 * @param {Record<string, V>} entries
 * @param {readonly Participant[]} participants
 * @param {Participant["connection_state"]} connectionState
 * @returns {Record<string, V>}
 */
function only(entries, participants, connectionState) {
  const ids = new Set(
    participants.filter((one) => one.connection_state === connectionState).map((one) => one.participant_id),
  );
  return Object.fromEntries(Object.entries(entries).filter(([id]) => ids.has(id)));
}
