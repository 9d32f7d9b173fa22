/** Types alone; nothing is run here. */

/** @typedef {"connecting" | "open" | "closed"} ConnectionState */

/**
 * @typedef {object} Message
 * @property {string} type
 * @property {string} [id] durable messages only
 * @property {number} [seq] durable messages only
 * @property {string} timestamp
 * @property {string} [ref] of the command that this answers
 * @property {Record<string, any>} data
 */

/**
 * @typedef {object} Options
 * @property {string} url
 * @property {(wish: {fresh: boolean}) => string | Promise<string>} getToken `fresh`: the last one has expired
 * @property {RetryPolicy} retry
 * @property {number | null} [lastSeq] of an earlier connection, so that what was missed since is told
 * @property {typeof WebSocket} [WebSocket]
 */

/**
 * How long to wait after so many failures in a row (from 1), in ms; null is "not by yourself".
 * @typedef {(tries: number) => number | null} RetryPolicy
 */

/**
 * @typedef {object} FoundMatch
 * @property {string} match_id
 * @property {string | null} game_id
 * @property {string | null} pool_key
 * @property {"found" | "confirmed"} stage
 * @property {{user_id: string, display_name: string, rating: number}[]} opponents
 * @property {string | null} color
 * @property {string | null} join_url
 */

/**
 * @typedef {object} MatchmakingState
 * @property {"matchmaking"} socket
 * @property {boolean} restored has there been a snapshot?
 * @property {number} seq
 * @property {string | null} user_id
 * @property {any} ticket the live one, or null
 * @property {number | null} waiting how many wait in the pool of the ticket
 * @property {FoundMatch | null} match
 * @property {string | null} session_id
 * @property {{incoming: any[], outgoing: any[]}} challenges
 * @property {any} party
 * @property {{type: string, seq: number, reason: string, requeued: boolean, position: number | null} | null} notice
 */

/**
 * @typedef {object} SessionState
 * @property {"session"} socket
 * @property {boolean} restored has there been a snapshot?
 * @property {number} seq
 * @property {string | null} user_id
 * @property {any} session
 * @property {string | null} phase
 * @property {string} participant_id one's own, empty for an observer
 * @property {readonly {participant_id: string, display_name: string, connection_state: string}[]} participants
 * @property {Record<string, {since: string, grace_seconds: number}>} away by participant
 * @property {Record<string, string>} left reasons of leaving, by participant
 * @property {Record<string, any>[] | null} standing
 */

export {};
