/** The client of `/ws/matchmaking/`: queue, matches and announcements of the signed-in user. */

import { SocketClient } from "./client.js";
import { call } from "./rest.js";
import { matchmakingRetry } from "./retry.js";
import { MATCHMAKING, reduce } from "./state.js";
import { socketUrl } from "./urls.js";

/** @import { ActiveState, ClientOptions, MatchmakingMessage, MatchmakingState, Ticket } from "./types.js" */

/** How often what REST said may be overtaken by the socket before it is let be. */
const MAX_READS = 3;

/**
 * `readActive` says what the user is in, and is asked after every reconnection; by default `GET /v1/matchmaking/active`.
 * @typedef {ClientOptions & {origin: string, readActive?: () => Promise<ActiveState>}} MatchmakingOptions
 */

/**
 * @typedef {object} QueueWish
 * @property {string} pool_key
 * @property {string[]} [regions] to play in; without it those of one's preferences
 * @property {Record<string, number>} [latencies] in ms by region
 * @property {string} [party_id] of the party that one leads: all of it queue
 * @property {number} [max_gap] one's own limit of the rating gap
 * @property {Record<string, unknown>} [metadata] up to 2 KiB of JSON
 */

/** @extends {SocketClient<MatchmakingMessage, MatchmakingState>} */
export class MatchmakingClient extends SocketClient {
  #readActive;
  #reconnections = 0;

  /** @param {MatchmakingOptions} options */
  constructor({ origin, readActive, ...options }) {
    const url = socketUrl(origin, "/ws/matchmaking/").href;
    super({ ...options, url, retry: matchmakingRetry, known: MATCHMAKING, reduce });
    const { getToken } = options;
    this.#readActive =
      readActive ??
      (async () => call("GET", "/v1/matchmaking/active", { origin, token: await getToken({ fresh: false }) }));
  }

  /**
   * Queue, also by hand after `match_cancelled` without `requeued`.
   * @param {QueueWish} wish
   * @returns {Promise<Ticket>} rejected with a `CommandError`, such as `already_in_queue`
   */
  async joinQueue(wish) {
    return (await this.request("join_queue", wish)).data;
  }

  /**
   * Leave the queue, also while a match is being verified.
   * @param {{queue_entry_id?: string}} [which] without it one's live ticket
   * @returns {Promise<void>} rejected with a `CommandError`
   */
  async leaveQueue(which = {}) {
    await this.request("leave_queue", which);
  }

  /**
   * Say that one is ready, in a pool with a ready check.
   * @param {string} matchId
   * @returns {Promise<void>} once the server says how the match goes on; rejected with a `CommandError`
   */
  acceptMatch(matchId) {
    return this.#answerMatch("accept_match", matchId);
  }

  /**
   * Say that one will not play: the match is off, and one's ticket ends.
   * @param {string} matchId
   * @returns {Promise<void>} rejected with a `CommandError`
   */
  declineMatch(matchId) {
    return this.#answerMatch("decline_match", matchId);
  }

  /**
   * An answer that is taken is not answered by itself: what is told of the match next is, to all of its players.
   * @param {"accept_match" | "decline_match"} type
   * @param {string} matchId
   */
  async #answerMatch(type, matchId) {
    const stop = new AbortController();
    /** @type {Promise<void>} */
    const isTold = new Promise((resolve) => {
      const hear = (/** @type {CustomEvent<MatchmakingMessage>} */ { detail: { data } }) => {
        if ("match_id" in data && data.match_id === matchId) resolve();
      };
      this.addEventListener("message", hear, { signal: stop.signal });
    });
    try {
      await Promise.race([this.request(type, { match_id: matchId }), isTold]);
    } finally {
      stop.abort();
    }
  }

  /**
   * After a reconnection the queue is read by REST. What the socket says meanwhile is newer, or may be: then the
   * answer is dropped and asked for again.
   * @protected
   * @override
   */
  async reopened() {
    const reconnection = ++this.#reconnections;
    for (let reads = 0; reads < MAX_READS; reads++) {
      // The snapshot that has just come is told before this waits, and changes what is known no more.
      const { known } = this;
      const active = await this.#read();
      if (active === null || this.state !== "open" || reconnection !== this.#reconnections) return;
      if (this.known !== known) continue;
      const timestamp = new Date(this.serverNow()).toISOString();
      this.learn({ type: "active_read", timestamp, data: active });
      return;
    }
  }

  /** The socket has told the state already, so that a failure here loses nothing. @returns {Promise<ActiveState | null>} */
  async #read() {
    try {
      return await this.#readActive();
    } catch {
      return null;
    }
  }
}
