/**
 * A client of one socket of the service: it keeps a connection and what the server has told. sockets.js makes the
 * two that there are.
 *
 * There are three states. `connecting` lasts until the server's snapshot is here, `open` follows it, and
 * `closed` either waits for its next try (`retryAt`) or is idle. There is no page in here: `page.js` tells a
 * client when the network or the page comes back.
 *
 * Events: `message` (`detail` is a message, durable ones once each and in order of `seq`), `change` (`known` is
 * another object now) and `state`.
 */

import { Commands, connectionLost } from "./commands.js";
import { Connection } from "./connection.js";
import { CLOSE_CODES } from "./protocol.js";
import { isRefusal, staysAway } from "./retry.js";
import { Stream } from "./stream.js";
import { ClientTarget } from "./target.js";

export { CommandError } from "./commands.js";

/** @import { ConnectionState, Message, SocketOptions } from "./types.js" */

/** 1 + 2 + 4 + 8 + 16 s: by then a grace period of 30 s is over, and a hidden page can as well sleep. */
const MAX_TRIES_WHILE_HIDDEN = 5;

/**
 * @template {Message} M what is heard
 * @template S what is known
 * @extends {ClientTarget<M>}
 */
export class SocketClient extends ClientTarget {
  /** @type {ConnectionState} */
  state = "closed";
  /** What the server has told so far: see state.js. @type {S} */
  known;
  /** Failures in a row. */
  tries = 0;
  /** When the next try begins, in ms since the epoch; null when none is planned. @type {number | null} */
  retryAt = null;
  /** How long the wait before the next try is. @type {number | null} */
  retryDelayMs = null;
  /** The code that the last connection was closed with, 0 where there is none. */
  closeCode = 0;
  /** Why there was no token for the last try; undefined where there was one. @type {any} */
  tokenError = undefined;
  /** Server's clock minus our own. */
  clockOffsetMs = 0;
  /** Is the page out of sight? A hidden client gives up trying after a while, until `wake`. */
  hidden = false;

  #options;
  #stream;
  #commands = new Commands();
  /** @type {Connection | null} */
  #connection = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retryTimer;
  #wanted = false;
  #hasBeenOpen = false;
  #needsFreshToken = false;
  /** @type {number | null} */
  #comeBackMs = null;

  /** @param {SocketOptions<M, S>} options */
  constructor({ WebSocket = globalThis.WebSocket, ...options }) {
    super();
    if (!WebSocket) throw new TypeError("There is no WebSocket here: give one as the option `WebSocket`.");
    this.#options = { WebSocket, ...options };
    this.#stream = new Stream(options.lastSeq);
    this.known = options.known;
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

  /** The countdown to the next try, null when none is planned. */
  get retryInMs() {
    return this.retryAt === null ? null : Math.max(0, this.retryAt - Date.now());
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
    this.tokenError = undefined;
    const wasIdle = this.state === "closed" && this.retryAt === null;
    this.#drop();
    if (!wasIdle) this.#become("closed");
  }

  /**
   * Wait until the connection is open.
   * @returns {Promise<void>} rejected with a `CommandError` when the client stops trying
   */
  opened() {
    return new Promise((resolve, reject) => {
      const look = () => {
        const isIdle = this.state === "closed" && this.retryAt === null;
        if (this.state !== "open" && !isIdle) return;
        this.removeEventListener("state", look);
        if (isIdle) reject(connectionLost());
        else resolve();
      };
      this.addEventListener("state", look);
      look();
    });
  }

  /** The network, the page or the user is back: connect now, or see whether the connection still lives. */
  wake() {
    if (this.state === "open") this.probe();
    else if (this.#wanted && (this.#connection?.hangs ?? true)) {
      this.tries = 0;
      this.#open();
    }
  }

  /** See whether an open connection still lives: it is lost unless the server answers within 5 s. */
  probe() {
    if (this.state === "open") this.#connection?.probe();
  }

  /**
   * Send a command and wait for the message that answers it.
   * @param {string} type
   * @param {object} [data]
   * @returns {Promise<any>} the message; rejected with a `CommandError`
   */
  request(type, data) {
    if (this.state !== "open") return Promise.reject(connectionLost());
    return this.#commands.start((ref) => this.#connection?.send(type, data, ref));
  }

  /** Ask for a new snapshot; for when something may have changed that the stream does not tell. */
  resync() {
    if (this.state !== "open") return;
    this.#stream.asked(Date.now());
    this.#connection?.send("resync", { last_seq: this.lastSeq });
  }

  /** The connection was lost, and is open again. @protected */
  reopened() {}

  /** Take a message in, and tell those who listen. @param {M} message @protected */
  learn(message) {
    const before = this.known;
    this.known = this.#options.reduce(before, message);
    this.#tell(message, before);
  }

  // --- the connection's life

  #open() {
    this.#drop();
    this.#comeBackMs = null;
    const connection = new Connection({
      url: this.#address(),
      WebSocket: this.#options.WebSocket,
      getToken: this.#options.getToken,
      fresh: this.#needsFreshToken,
      onToken: () => {
        this.#needsFreshToken = false;
        this.tokenError = undefined;
      },
      onMessage: (message) => this.#hear(message),
      onLost: (code, error) => this.#lost(code, error),
    });
    this.#connection = connection;
    this.#become("connecting");
    if (connection === this.#connection) void connection.begin();
  }

  #address() {
    const url = new URL(this.#options.url);
    if (this.lastSeq !== null) url.searchParams.set("last_seq", String(this.lastSeq));
    return url.href;
  }

  #drop() {
    this.#connection?.drop();
    this.#connection = null;
    this.#stream.reconnect();
    clearTimeout(this.#retryTimer);
    this.retryAt = this.retryDelayMs = null;
    this.#commands.abandon();
  }

  /** @param {number} code @param {unknown} [error] */
  #lost(code, error) {
    this.#drop();
    this.closeCode = code;
    this.tokenError = error;
    this.#needsFreshToken ||= code === CLOSE_CODES.TOKEN_EXPIRED || code === CLOSE_CODES.NOT_AUTHENTICATED;
    this.#wanted &&= !staysAway(code) && !isRefusal(error);
    if (this.#wanted) this.#planRetry();
    this.#become("closed");
  }

  #planRetry() {
    this.tries++;
    const asleep = this.hidden && this.tries > MAX_TRIES_WHILE_HIDDEN;
    const delay = asleep ? null : (this.#comeBackMs ?? this.#options.retry(this.tries));
    if (delay === null) return;
    this.retryDelayMs = delay;
    this.retryAt = Date.now() + delay;
    this.#retryTimer = setTimeout(() => this.#open(), delay);
  }

  /** @param {ConnectionState} state */
  #become(state) {
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }

  // --- messages

  /** @param {any} message */
  #hear(message) {
    if (message.type === "connected") this.clockOffsetMs = Date.parse(message.data.server_time) - Date.now();
    if (message.type === "goodbye") this.#comeBackMs = message.data.reconnect_after_ms;
    if (message.ref !== undefined) this.#commands.settle(message);
    if (!this.#isNews(message)) return this.#catchUp();
    const before = this.known;
    this.known = this.#options.reduce(before, message);
    const connection = this.#connection;
    if (message.type === "state_restored" && this.state !== "open") this.#arrive();
    this.#catchUp();
    // Whoever listens may have closed meanwhile.
    if (connection === this.#connection) this.#tell(message, before);
  }

  /** To those who listen? Before the snapshot is here, events say no more than that they exist. @param {any} message */
  #isNews({ type, seq, data }) {
    if (type === "heartbeat_ping") this.#stream.hearOf(data.seq);
    if (type === "state_restored") return this.#restore(data.seq);
    if (seq === undefined) return true;
    if (this.state === "open") return this.#stream.take(seq);
    this.#stream.hearOf(seq);
    return false;
  }

  /** A snapshot that was made before what is held already is of no use, and asked for again. @param {number} seq */
  #restore(seq) {
    const isStale = this.state === "open" && seq < (this.lastSeq ?? 0);
    if (isStale) this.resync();
    else this.#stream.restore(seq);
    return !isStale;
  }

  #arrive() {
    const isBack = this.#hasBeenOpen;
    this.#hasBeenOpen = true;
    this.tries = this.closeCode = 0;
    this.#connection?.opened();
    this.#become("open");
    if (isBack && this.state === "open") this.reopened();
  }

  /** When something is missing, the next snapshot tells what it was. */
  #catchUp() {
    if (this.#stream.isToBeAsked(Date.now())) this.resync();
  }

  /** @param {M} message @param {S} before */
  #tell(message, before) {
    this.dispatchEvent(new CustomEvent("message", { detail: message }));
    if (this.known !== before) this.dispatchEvent(new Event("change"));
  }
}
