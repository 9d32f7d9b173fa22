// Generated from realtime/protocol by `manage.py protocol`: do not edit.

/** Types of frames from the server. */
export const SERVER_MESSAGES = Object.freeze([
  "answer_result",
  "challenge_received",
  "challenge_updated",
  "connected",
  "error",
  "game_over",
  "game_state_update",
  "goodbye",
  "heartbeat_ack",
  "heartbeat_ping",
  "lock_changed",
  "match_acceptance",
  "match_cancelled",
  "match_found",
  "match_ready",
  "participant_joined",
  "participant_left",
  "participant_reconnected",
  "participant_renamed",
  "participant_temporarily_disconnected",
  "party_invited",
  "party_updated",
  "ping",
  "queue_cancelled",
  "queue_joined",
  "queue_update",
  "state_restored",
  "token_expiring"
]);

/** Types of frames from clients. */
export const CLIENT_MESSAGES = Object.freeze([
  "accept_match",
  "ack",
  "answer",
  "authenticate",
  "decline_match",
  "heartbeat",
  "heartbeat_pong",
  "join_queue",
  "leave_queue",
  "pong",
  "rename",
  "resync"
]);

/** Types that are numbered, kept for a while, and sent again after a reconnect. */
export const DURABLE = Object.freeze([
  "challenge_received",
  "challenge_updated",
  "game_over",
  "game_state_update",
  "lock_changed",
  "match_cancelled",
  "match_found",
  "match_ready",
  "participant_joined",
  "participant_left",
  "participant_reconnected",
  "participant_renamed",
  "participant_temporarily_disconnected",
  "party_invited",
  "party_updated",
  "queue_cancelled",
  "queue_joined"
]);

/** Why a socket was closed; from 4500 on: stay away. */
export const CLOSE_CODES = Object.freeze({
  "NORMAL": 1000,
  "TOO_LARGE": 1009,
  "SERVER_GOING": 4000,
  "TOKEN_EXPIRED": 4001,
  "NO_PONG": 4008,
  "SLOW_READER": 4009,
  "TOO_MANY_FRAMES": 4029,
  "NOT_AUTHENTICATED": 4501,
  "NOT_ALLOWED": 4503,
  "NO_SUCH_SESSION": 4504,
  "REPLACED": 4509,
  "LEFT": 4510,
  "NOT_TEXT": 4513
});
