/**
 * The client's side of one socket of the service: `/ws/matchmaking/` or `/ws/sessions/{id}/`.
 *
 * There are three states. `connecting` lasts until the server's snapshot is here, `open` follows it, and
 * `closed` either waits for its next try (`retryAt`) or is idle. There is no page in here: `page.js` tells a
 * client when the network or the page comes back.
 *
 * Events: `message` (`detail` is a message, durable ones once each and in order of `seq`) and `state`.
 */

import { Commands, connectionLost } from "./commands.js";
import { CLOSE_CODES } from "./protocol.js";
import { staysAway } from "./retry.js";
import { Stream } from "./stream.js";

export { CommandError } from "./commands.js";

const SUBPROTOCOL = "matchmaking.v1";
const CONNECT_TIMEOUT_MS = 10_000;
const SILENCE_MS = 30_000;
const PROBE_MS = 5_000;
const RESYNC_TIMEOUT_MS = 5_000;
/** 1 + 2 + 4 + 8 + 16 s: by then a grace period of 30 s is over, and a hidden page can as well sleep. */
const MAX_TRIES_WHILE_HIDDEN = 5;

/** @import { ConnectionState, Message, Options } from "./types.js" */

export class SocketClient extends EventTarget {
  /** @type {ConnectionState} */
  state = "closed";
  /** Failures in a row. */
  tries = 0;
  /** When the next try begins, in ms since the epoch; null when none is planned. */
  retryAt = /** @type {number | null} */ (null);
  /** How long the wait before the next try is. */
  retryDelayMs = /** @type {number | null} */ (null);
  /** The code that the last connection was closed with, 0 where there is none. */
  closeCode = 0;
  /** Server's clock minus our own. */
  clockOffsetMs = 0;
  /** Is the page out of sight? A hidden client gives up trying after a while, until `wake`. */
  hidden = false;

  #options;
  #socket = /** @type {WebSocket | null} */ (null);
  #generation = 0;
  #wanted = false;
  #hasBeenOpen = false;
  #tokenExpired = false;
  #comeBackMs = /** @type {number | null} */ (null);
  #stream;
  #resyncSentAt = -Infinity;
  #silenceMs = SILENCE_MS;
  #timer = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
  #probe = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
  #commands = new Commands();

  /** @param {Options} options */
  constructor(options) {
    super();
    this.#options = { WebSocket: globalThis.WebSocket, ...options };
    this.#stream = new Stream(options.lastSeq);
  }

  /** The newest `seq` that this client holds, null before the first snapshot. */
  get lastSeq() {
    return this.#stream.lastSeq;
  }

  /** Was the connection lost, and is it about to come back by itself? */
  get isReconnecting() {
    const isTrying = this.state === "connecting" || this.retryAt !== null;
    return isTrying && (this.#hasBeenOpen || this.tries > 0);
  }

  /** Has a newer connection of this user taken its place? */
  get isReplaced() {
    return this.closeCode === CLOSE_CODES.REPLACED;
  }

  /** The server's clock, in ms since the epoch. */
  serverNow() {
    return Date.now() + this.clockOffsetMs;
  }

  /** Connect, because the user wants it; also after a code that said to stay away. */
  connect() {
    if (this.state !== "closed") return;
    this.#wanted = true;
    this.tries = 0;
    this.#open();
  }

  /** Close for good, until `connect`. */
  close() {
    this.#wanted = this.#hasBeenOpen = false;
    this.tries = this.closeCode = 0;
    this.#drop();
    this.#become("closed");
  }

  /** The network, the page or the user is back: connect now, or see whether the connection still lives. */
  wake() {
    if (!this.#wanted) return;
    if (this.state === "closed") {
      this.tries = 0;
      this.#open();
    } else if (this.state === "open" && this.#probe === undefined) {
      this.#probe = setTimeout(() => this.#lost(), PROBE_MS);
      this.#send("heartbeat");
    }
  }

  /**
   * Send a command and wait for the message that answers it.
   * @param {string} type
   * @param {Record<string, unknown>} [data]
   * @returns {Promise<Message>} rejected with a `CommandError`
   */
  request(type, data) {
    if (this.state !== "open") return Promise.reject(connectionLost());
    return this.#commands.start((ref) => this.#send(type, data, ref));
  }

  /** Ask for a new snapshot; for when something may have changed that the stream does not tell. */
  resync() {
    if (this.state !== "open") return;
    this.#resyncSentAt = Date.now();
    this.#send("resync", { last_seq: this.lastSeq });
  }

  // --- the socket's life

  async #open() {
    this.#drop();
    const generation = this.#generation;
    const fresh = this.#tokenExpired;
    this.#timer = setTimeout(() => this.#lost(), CONNECT_TIMEOUT_MS);
    this.#become("connecting");
    try {
      const token = await this.#options.getToken({ fresh });
      if (generation !== this.#generation) return;
      this.#tokenExpired = false;
      this.#listen(new this.#options.WebSocket(this.#address(), [SUBPROTOCOL, `bearer.${token}`]));
    } catch {
      if (generation === this.#generation) this.#lost();
    }
  }

  #address() {
    const url = new URL(this.#options.url);
    if (this.lastSeq !== null) url.searchParams.set("last_seq", String(this.lastSeq));
    return url.href;
  }

  /** @param {WebSocket} socket */
  #listen(socket) {
    this.#socket = socket;
    socket.onmessage = (event) => this.#receive(JSON.parse(event.data));
    socket.onclose = (event) => this.#lost(event.code);
  }

  /** Let go of the socket and of every timer; nothing of the old connection is heard any more. */
  #drop() {
    this.#generation++;
    this.#stream.reconnect();
    this.#resyncSentAt = -Infinity;
    clearTimeout(this.#timer);
    clearTimeout(this.#probe);
    this.#probe = undefined;
    this.retryAt = this.retryDelayMs = null;
    this.#commands.abandon();
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #lost(code = 0) {
    this.#drop();
    this.closeCode = code;
    this.#tokenExpired ||= code === CLOSE_CODES.TOKEN_EXPIRED;
    this.#wanted &&= !staysAway(code);
    if (this.#wanted) this.#planRetry();
    this.#become("closed");
  }

  #planRetry() {
    this.tries++;
    const asleep = this.hidden && this.tries > MAX_TRIES_WHILE_HIDDEN;
    const delay = asleep ? null : (this.#comeBackMs ?? this.#options.retry(this.tries));
    this.#comeBackMs = null;
    if (delay === null) return;
    this.retryDelayMs = delay;
    this.retryAt = Date.now() + delay;
    this.#timer = setTimeout(() => this.#open(), delay);
  }

  /** @param {ConnectionState} state */
  #become(state) {
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }

  /** A server that is silent for so long is not there, whatever the socket says. */
  #watch() {
    if (this.state !== "open") return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lost(), this.#silenceMs);
  }

  // --- frames

  /** @param {string} type @param {Record<string, unknown>} [data] @param {string} [ref] */
  #send(type, data, ref) {
    this.#socket?.send(JSON.stringify({ type, ref, data }));
  }

  /** What is owed at once is sent first: a page may be slow, the server's 2 s are not. @param {Message} message */
  #receive(message) {
    this.#answer(message);
    if (message.ref !== undefined) this.#commands.settle(message);
    if (this.#isNews(message)) this.dispatchEvent(new CustomEvent("message", { detail: message }));
  }

  /** @param {Message} message */
  #answer({ type, id, data }) {
    switch (type) {
      case "ping":
        return this.#send("pong", { nonce: data.nonce });
      case "heartbeat_ping":
        this.#send("heartbeat_pong", { nonce: data.nonce });
        return this.#watch();
      case "heartbeat_ack":
        clearTimeout(this.#probe);
        this.#probe = undefined;
        return this.#watch();
      case "match_found":
        return this.#send("ack", { id });
      case "connected":
        this.clockOffsetMs = Date.parse(data.server_time) - Date.now();
        this.#silenceMs = Math.max(SILENCE_MS, 2000 * data.heartbeat_interval);
        return undefined;
      case "goodbye":
        this.#comeBackMs = data.reconnect_after_ms;
        return undefined;
      case "token_expiring":
        return void this.#renewToken();
      default:
        return undefined;
    }
  }

  async #renewToken() {
    const generation = this.#generation;
    try {
      const token = await this.#options.getToken({ fresh: true });
      if (generation === this.#generation) this.#send("authenticate", { token });
    } catch {
      // The server closes with 4001 at expiry, and the next connection asks for a token again.
    }
  }

  /** Follow the stream; say whether listeners shall hear this message. @param {Message} message */
  #isNews({ type, seq, data }) {
    if (type === "state_restored") this.#restore(data.seq);
    if (type === "heartbeat_ping") this.#stream.hearOf(data.seq);
    const isNews = seq === undefined || this.#takes(seq);
    this.#catchUp();
    return isNews;
  }

  /** Before the snapshot is here, events say no more than that they exist. @param {number} seq */
  #takes(seq) {
    if (this.state === "open") return this.#stream.take(seq);
    this.#stream.hearOf(seq);
    return false;
  }

  /** @param {number} seq */
  #restore(seq) {
    this.#stream.restore(seq);
    this.#resyncSentAt = -Infinity;
    this.tries = 0;
    this.closeCode = 0;
    if (this.state === "open") return;
    this.#hasBeenOpen = true;
    this.#become("open");
    this.#watch();
  }

  /** When something is missing, the next snapshot tells what it was. */
  #catchUp() {
    const isAsked = Date.now() - this.#resyncSentAt < RESYNC_TIMEOUT_MS;
    if (this.#stream.isBehind && !isAsked) this.resync();
  }
}
