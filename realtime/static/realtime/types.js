/** Types alone; nothing is run here. The fields are the wire's, and docs/asyncapi.json says what they hold. */

// --- clients

/** @typedef {"connecting" | "open" | "closed"} ConnectionState */

/**
 * How long to wait after so many failures in a row (from 1), in ms; null is "not by yourself".
 * @typedef {(tries: number) => number | null} RetryPolicy
 */

/**
 * Returns a token, or fails. `fresh`: the last one has expired or is about to, another one is needed.
 * @typedef {(wish: {fresh: boolean}) => string | Promise<string>} GetToken
 */

/** Where the service is, and the token of who asks it over REST. @typedef {{origin?: string, token: string}} As */

/**
 * What every client is made from.
 * @typedef {object} ClientOptions
 * @property {GetToken} getToken
 * @property {number | null} [lastSeq] of an earlier connection, so that what was missed since is told
 * @property {WebSocketClass} [WebSocket] where the platform has none
 */

/**
 * What the two clients add to them. `known` is the state to begin with.
 * @template M what is heard
 * @template S what is known
 * @typedef {ClientOptions & {url: string, retry: RetryPolicy, known: S, reduce: (known: S, message: M) => S}} SocketOptions
 */

/**
 * What the client needs of a WebSocket; the platform's has it, and so has that of the package `ws`.
 * @typedef {{new (url: string, protocols: string[]): SocketLike}} WebSocketClass
 */

/**
 * @typedef {object} SocketLike
 * @property {((event: any) => void) | null} onmessage
 * @property {((event: any) => void) | null} onclose
 * @property {((event: any) => void) | null} onerror
 * @property {(text: string) => void} send
 * @property {() => void} close
 */

/**
 * @template M
 * @typedef {object} ClientEvents
 * @property {CustomEvent<M>} message
 * @property {CustomEvent<ConnectionState>} state
 * @property {Event} change
 */

// --- the things that messages are made of

/**
 * A player's place in a queue. Times are RFC 3339.
 * @typedef {object} Ticket
 * @property {string} queue_entry_id
 * @property {string} pool_key
 * @property {"SEARCHING" | "RESERVED" | "MATCHED" | "CANCELLED" | "TIMED_OUT"} status
 * @property {string} queued_at
 * @property {number} waited_seconds
 * @property {number} rating
 * @property {number} rating_window
 * @property {number | null} position
 * @property {number | null} estimated_wait_seconds
 * @property {string | null} match_id
 * @property {string | null} game_id
 * @property {string | null} cancel_reason
 */

/** @typedef {{user_id: string, display_name: string, rating: number}} Opponent */
/** @typedef {Opponent & {color: string | null, team: number}} MatchPlayer */

/**
 * @typedef {object} Match
 * @property {string} match_id
 * @property {string | null} game_id
 * @property {string | null} pool_key
 * @property {string} mode
 * @property {string} time_control
 * @property {boolean} rated
 * @property {"PROPOSED" | "AWAITING_ACCEPTANCE" | "CONFIRMED" | "FINISHED" | "CANCELLED"} status
 * @property {string[]} queue_entry_ids
 * @property {Record<string, unknown>} metadata
 * @property {MatchPlayer[]} players
 * @property {number | null} quality
 * @property {string} created_at
 * @property {string | null} confirmed_at
 * @property {Record<string, unknown> | null} result
 */

/**
 * One player asks another for a game; an open one has a `url`.
 * @typedef {object} Challenge
 * @property {string} challenge_id
 * @property {{user_id: string, display_name: string}} challenger
 * @property {{user_id: string, display_name: string} | null} opponent
 * @property {string | null} pool_key
 * @property {string} mode
 * @property {string} time_control
 * @property {boolean} rated
 * @property {"WHITE" | "BLACK" | "RANDOM"} color_preference
 * @property {"PENDING" | "ACCEPTED" | "DECLINED" | "CANCELLED" | "EXPIRED"} status
 * @property {string} created_at
 * @property {string} expires_at
 * @property {string | null} match_id
 * @property {string | null} game_id
 * @property {string | null} rematch_of
 * @property {string | null} url
 */

/** @typedef {{incoming: readonly Challenge[], outgoing: readonly Challenge[]}} Challenges */

/** @typedef {{user_id: string, display_name: string, connected: boolean}} PartyMember */

/**
 * Players who queue as one, the leader for all; `leader` is a user id.
 * @typedef {object} Party
 * @property {string} party_id
 * @property {string} leader
 * @property {PartyMember[]} members in the order of joining
 * @property {"IDLE" | "QUEUED" | "PLAYING" | "DISBANDED"} status
 */

/** @typedef {{pool_key: string, rating: number, deviation: number, provisional: boolean, games: number}} Rating */

/**
 * A match in the history of a rating; `expected` and `score` are shares of opponents beaten.
 * @typedef {{match_id: string, at: string, before: number, after: number, expected: number, score: number}} RatingPoint
 */

/**
 * Part of a list; `next` is the address of the following part, or null.
 * @template T
 * @typedef {{results: T[], next: string | null}} Page
 */

/**
 * All that a user is in: `GET /v1/matchmaking/active`.
 * @typedef {object} ActiveState
 * @property {Ticket | null} ticket
 * @property {Match | null} match
 * @property {string | null} session_id
 * @property {Challenges} challenges
 * @property {Party | null} party
 */

/** @typedef {"lobby" | "question" | "leaderboard" | "finished"} Phase */
/** @typedef {"connected" | "temporarily_disconnected" | "disconnected"} Presence */
/** @typedef {{participant_id: string, display_name: string, connection_state: Presence}} Participant */
/** @typedef {{question_id: string, choice: number, correct: boolean, points: number}} Answer */
/**
 * @typedef {object} Standing
 * @property {number} rank
 * @property {string} participant_id
 * @property {string} display_name
 * @property {number} score
 * @property {{before: number, after: number, provisional: boolean}} [rating_change] after a rated match
 */
/** @typedef {"left" | "grace_expired" | "kicked"} LeaveReason */

/**
 * @typedef {object} Session
 * @property {string} session_id
 * @property {"duel" | "event"} kind
 * @property {string} title
 * @property {string | null} match_id
 * @property {string | null} join_code
 * @property {string | null} join_url
 * @property {string} created_at
 * @property {string | null} finished_at
 */

/**
 * A question without its answer; choices are given by index, `number` counts from 1.
 * @typedef {object} Question
 * @property {string} question_id
 * @property {number} number
 * @property {number} of
 * @property {string} text
 * @property {string[]} choices
 * @property {number} seconds
 * @property {string} deadline
 */

/**
 * @typedef {object} GameState
 * @property {Phase} phase
 * @property {string | null} ends_at when the phase ends by itself, null where somebody has to say so
 * @property {Question | null} question
 * @property {number | null} correct_choice
 * @property {number[] | null} tally how often each choice was taken
 * @property {Standing[] | null} leaderboard
 */

/**
 * What a session is to the caller; the host has no participant, score and answers, and sees how many have answered.
 * @typedef {GameState & {session: Session, time_left_ms: number | null, participant_id?: string, score?: number,
 *   answers?: Answer[], answered?: number, participants: Participant[], locked: boolean}} SessionView
 */

// --- messages

/**
 * @template {string} T
 * @template D
 * @typedef {object} Frame
 * @property {T} type
 * @property {string} [id] durable messages only
 * @property {number} [seq] durable messages only
 * @property {string} timestamp
 * @property {string} [ref] of the command that this answers
 * @property {D} data
 */

/**
 * @template M
 * @typedef {{seq: number, resumed: boolean, gap: boolean, missed: M[]}} Resumption
 */

/**
 * @typedef {object} ErrorData
 * @property {string} code
 * @property {string} detail
 * @property {Record<string, string[]>} [errors]
 * @property {string} [queue_entry_id]
 * @property {number} [retry_after_seconds]
 */

/**
 * @typedef {object} ConnectedData
 * @property {string} connection_id
 * @property {string} user_id
 * @property {number} heartbeat_interval in seconds
 * @property {string} server_time
 * @property {number} seq
 */

/**
 * @typedef {Frame<"connected", ConnectedData>
 *   | Frame<"ping", {nonce: string}>
 *   | Frame<"heartbeat_ping", {nonce: string, seq: number}>
 *   | Frame<"heartbeat_ack", {server_time: string}>
 *   | Frame<"token_expiring", {expires_in: number}>
 *   | Frame<"goodbye", {reason: string, reconnect_after_ms: number}>
 *   | Frame<"error", ErrorData>} AnyMessage
 */

/**
 * @typedef {Frame<"queue_joined", Ticket>
 *   | Frame<"queue_cancelled", {queue_entry_id: string, reason: string}>
 *   | Frame<"match_found", {match_id: string, game_id: string, queue_entry_id: string | null, pool_key: string | null,
 *       opponents: Opponent[], color: string | null, team: number, ack_within_ms: number, accept_within_ms?: number}>
 *   | Frame<"match_ready", {match_id: string, game_id: string, session_id?: string, join_url?: string}>
 *   | Frame<"match_cancelled", {match_id: string, reason: string, requeued: boolean, queue_entry_id: string | null,
 *       position: number | null}>
 *   | Frame<"challenge_received", Challenge>
 *   | Frame<"challenge_updated", Challenge>
 *   | Frame<"party_invited", Party>
 *   | Frame<"party_updated", Party>} MatchmakingEvent the durable ones
 */

/**
 * `active_read` is made by the client itself: what REST said after a reconnection.
 * @typedef {AnyMessage | MatchmakingEvent
 *   | Frame<"state_restored", ActiveState & Resumption<MatchmakingEvent>>
 *   | Frame<"queue_update", {queue_entry_id: string, position: number, estimated_wait: number | null, waiting: number,
 *       rating_window: number}>
 *   | Frame<"match_acceptance", {match_id: string, accepted: number, needed: number}>
 *   | Frame<"active_read", ActiveState>} MatchmakingMessage
 */

/**
 * @typedef {Frame<"participant_joined", {participant_id: string, display_name: string}>
 *   | Frame<"participant_renamed", {participant_id: string, display_name: string}>
 *   | Frame<"participant_temporarily_disconnected", {participant_id: string, grace_seconds: number}>
 *   | Frame<"participant_reconnected", {participant_id: string}>
 *   | Frame<"participant_left", {participant_id: string, reason: LeaveReason}>
 *   | Frame<"lock_changed", {locked: boolean}>
 *   | Frame<"game_state_update", {session_id: string, state: GameState, timestamp: string}>
 *   | Frame<"game_over", {session_id: string, standing: Standing[]}>} SessionEvent the durable ones
 */

/**
 * `choice` and `correct` are those of the answer that counts, `score` is one's own total.
 * @typedef {{question_id: string, accepted: boolean, choice: number | null, correct: boolean | null, score: number}} AnswerResult
 */

/**
 * @typedef {AnyMessage | SessionEvent
 *   | Frame<"state_restored", SessionView & Resumption<SessionEvent>>
 *   | Frame<"answer_result", AnswerResult>} SessionMessage
 */

/** @typedef {MatchmakingMessage | SessionMessage} Message */

// --- what a client knows

/**
 * What each type of message does to a state.
 * @template S
 * @template {Message} M
 * @typedef {{[T in M["type"]]?: (state: S, data: Extract<M, {type: T}>["data"], message: Extract<M, {type: T}>) => S}} Changes
 */

/**
 * `accepting` is the ready check, where the pool has one. A client that comes back while it is on does not know
 * `accept_by`, nor `needed` before the next `match_acceptance`.
 * @typedef {object} FoundMatch
 * @property {string} match_id
 * @property {string | null} game_id
 * @property {string | null} pool_key
 * @property {"found" | "accepting" | "confirmed"} stage
 * @property {Opponent[]} opponents
 * @property {string | null} color
 * @property {string | null} join_url
 * @property {string | null} accept_by when the ready check ends
 * @property {number} accepted how many players have said that they are ready
 * @property {number | null} needed how many have to
 */

/** @typedef {{type: string, seq: number | undefined, reason: string, requeued: boolean, position: number | null}} Notice */

/**
 * @typedef {object} MatchmakingState
 * @property {"matchmaking"} socket
 * @property {boolean} restored has there been a snapshot?
 * @property {number} seq
 * @property {string | null} user_id
 * @property {Ticket | null} ticket the live one, or null
 * @property {number | null} waiting how many wait in the pool of the ticket
 * @property {FoundMatch | null} match
 * @property {string | null} session_id
 * @property {Challenges} challenges
 * @property {Party | null} party
 * @property {readonly Party[]} invitations parties that the user may join, the newest first; from events alone
 * @property {Notice | null} notice what happened last, for people
 */

/**
 * @typedef {object} SessionState
 * @property {"session"} socket
 * @property {boolean} restored has there been a snapshot?
 * @property {number} seq
 * @property {string | null} user_id
 * @property {Session | null} session
 * @property {Phase | null} phase
 * @property {string | null} ends_at
 * @property {Question | null} question
 * @property {number | null} correct_choice
 * @property {readonly number[] | null} tally
 * @property {readonly Standing[] | null} leaderboard
 * @property {string} participant_id one's own, empty for the host
 * @property {number | null} score null for the host
 * @property {readonly Answer[] | null} answers null for the host
 * @property {number | null} answered for the host, while a question is open: how many had answered at the last snapshot
 * @property {readonly Participant[]} participants
 * @property {boolean} locked
 * @property {Record<string, {since: string, grace_seconds: number}>} away by participant
 * @property {Record<string, LeaveReason>} left reasons of leaving, by participant
 */

export {};
