/**
 * One connection, from asking for a token until it is lost or dropped. It answers what the server is owed at
 * once, and notices when the server is not there any more. Once dropped, nothing of it is heard.
 */

/** @import { GetToken, SocketLike, WebSocketClass } from "./types.js" */

/**
 * @typedef {object} Wiring
 * @property {string} url
 * @property {WebSocketClass} WebSocket
 * @property {GetToken} getToken
 * @property {boolean} fresh is another token needed than the last one?
 * @property {() => void} onToken there is one
 * @property {(message: any) => void} onMessage
 * @property {(code: number, error?: unknown) => void} onLost once, unless it is dropped before; `code` 0: no code
 */

const SUBPROTOCOL = "matchmaking.v1";
const CONNECT_TIMEOUT_MS = 10_000;
const SILENCE_MS = 30_000;
const PROBE_MS = 5_000;
/** A try that began before the network was back may hang for long. */
const STALE_TRY_MS = 3_000;

export class Connection {
  #wiring;
  #begunAt = Date.now();
  #isOver = false;
  #isOpen = false;
  #silenceMs = SILENCE_MS;
  /** @type {SocketLike | null} */
  #socket = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #probe;

  /** @param {Wiring} wiring */
  constructor(wiring) {
    this.#wiring = wiring;
    this.#timer = setTimeout(() => this.#lost(0), CONNECT_TIMEOUT_MS);
  }

  /** Is it not open after a while in which it should be? */
  get hangs() {
    return !this.#isOpen && Date.now() - this.#begunAt >= STALE_TRY_MS;
  }

  async begin() {
    const { getToken, fresh, url, WebSocket, onToken } = this.#wiring;
    try {
      const token = await getToken({ fresh });
      if (this.#isOver) return;
      onToken();
      this.#listen(new WebSocket(url, [SUBPROTOCOL, `bearer.${token}`]));
    } catch (error) {
      this.#lost(0, error);
    }
  }

  /** The snapshot is here: from now on a silent server is none. */
  opened() {
    this.#isOpen = true;
    this.#watch();
  }

  /** @param {string} type @param {object} [data] @param {string} [ref] */
  send(type, data, ref) {
    this.#socket?.send(JSON.stringify({ type, ref, data }));
  }

  /** Lost, unless the server says something of itself within 5 s. */
  probe() {
    if (this.#probe !== undefined) return;
    this.#probe = setTimeout(() => this.#lost(0), PROBE_MS);
    this.send("heartbeat");
  }

  /** Let go of the socket and of every timer. */
  drop() {
    this.#isOver = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#probe);
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /** @param {SocketLike} socket */
  #listen(socket) {
    this.#socket = socket;
    socket.onmessage = (event) => this.#receive(JSON.parse(event.data));
    socket.onclose = (event) => this.#lost(event.code);
    // `onclose` follows. Without a listener the package `ws` ends the process, also after `drop`.
    socket.onerror = () => {};
  }

  /** @param {number} code @param {unknown} [error] */
  #lost(code, error) {
    if (this.#isOver) return;
    this.drop();
    this.#wiring.onLost(code, error);
  }

  /** What is owed is sent first: a page may be slow, the server's 2 s are not. @param {any} message */
  #receive(message) {
    this.#answer(message);
    this.#wiring.onMessage(message);
  }

  /** @param {any} message */
  #answer({ type, id, data }) {
    switch (type) {
      case "ping":
        return this.send("pong", { nonce: data.nonce });
      case "heartbeat_ping":
        this.send("heartbeat_pong", { nonce: data.nonce });
        return this.#heartbeat();
      case "heartbeat_ack":
        return this.#heartbeat();
      case "match_found":
        return this.send("ack", { id });
      case "connected":
        this.#silenceMs = Math.max(SILENCE_MS, 2000 * data.heartbeat_interval);
        return undefined;
      case "token_expiring":
        return void this.#renewToken();
      default:
        return undefined;
    }
  }

  #heartbeat() {
    clearTimeout(this.#probe);
    this.#probe = undefined;
    this.#watch();
  }

  /** A server that is silent for so long is not there, whatever the socket says. */
  #watch() {
    if (!this.#isOpen || this.#isOver) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lost(0), this.#silenceMs);
  }

  async #renewToken() {
    try {
      const token = await this.#wiring.getToken({ fresh: true });
      this.send("authenticate", { token });
    } catch {
      // The server closes with 4001 at expiry, and the next connection asks for a token again.
    }
  }
}
