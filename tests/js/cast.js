/** What the tests of the client have in common: a socket that a test plays the server of, and messages. */

import assert from "node:assert/strict";
import { mock } from "node:test";

import { CLIENT_MESSAGES, SERVER_MESSAGES } from "../../realtime/static/realtime/protocol.js";

export const NOON = Date.parse("2030-01-01T12:00:00Z");

/** A WebSocket without a network; a test speaks for the server. */
export class FakeSocket {
  /** @type {FakeSocket[]} all that were made, oldest first */
  static made = [];

  isAlive = true;
  sent = [];
  onmessage = null;
  onclose = null;

  constructor(url, protocols) {
    Object.assign(this, { url, protocols });
    FakeSocket.made.push(this);
  }

  static get newest() {
    return FakeSocket.made[FakeSocket.made.length - 1];
  }

  static get alive() {
    return FakeSocket.made.filter((socket) => socket.isAlive);
  }

  send(text) {
    if (!this.isAlive) throw new Error("sent on a closed socket");
    const { type, ref, data } = JSON.parse(text);
    assert.ok(CLIENT_MESSAGES.includes(type), `${type} is not in the protocol`);
    this.sent.push({ type, ref, data });
  }

  close() {
    this.isAlive = false;
  }

  /** The server sends a message. */
  says(type, data, more = {}) {
    assert.ok(SERVER_MESSAGES.includes(type), `${type} is not in the protocol`);
    this.onmessage?.({ data: JSON.stringify({ type, timestamp: "2030-01-01T12:00:00Z", ...more, data }) });
  }

  /** The server greets and sends its snapshot. */
  greets(seq = 0, more = {}) {
    this.says("connected", {
      connection_id: "c1", user_id: "ada", heartbeat_interval: 15, server_time: "2030-01-01T12:00:00Z", seq,
    });
    this.restores(seq, more);
  }

  restores(seq, more = {}) {
    this.says("state_restored", { ...EMPTY, seq, resumed: false, gap: false, missed: [], ...more });
  }

  /** The server, or the network, closes. */
  ends(code) {
    this.isAlive = false;
    this.onclose?.({ code });
  }

  sentTypes() {
    return this.sent.map((message) => message.type);
  }
}

export const EMPTY = {
  ticket: null, match: null, session_id: null, challenges: { incoming: [], outgoing: [] }, party: null,
};

/** Time stands still until `passes`. */
export function stopTime() {
  FakeSocket.made = [];
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: NOON });
}

/** Let what has been promised happen. */
export function settled() {
  return new Promise((resolve) => setImmediate(resolve));
}

/** @param {number} ms */
export async function passes(ms) {
  mock.timers.tick(ms);
  await settled();
}
