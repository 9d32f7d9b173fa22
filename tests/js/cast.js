/** What the tests of the client have in common: a socket that a test plays the server of, and messages. */

import assert from "node:assert/strict";
import { mock } from "node:test";

import { CLIENT_MESSAGES, SERVER_MESSAGES } from "../../realtime/static/realtime/protocol.js";
import { matchmakingClient, sessionClient } from "../../realtime/static/realtime/sockets.js";

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
    this.sent.push({ type, ref, data, at: Date.now() });
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
    const empty = this.url.includes("/ws/sessions/") ? EMPTY_SESSION : EMPTY;
    this.says("state_restored", { ...empty, seq, resumed: false, gap: false, missed: [], ...more });
  }

  /** The server, or the network, closes. */
  ends(code) {
    this.isAlive = false;
    this.onclose?.({ code });
  }

  sentFrames() {
    return this.sent.map(({ type, ref, data }) => ({ type, ref, data }));
  }

  sentTypes() {
    return this.sent.map((message) => message.type);
  }
}

export const EMPTY = {
  ticket: null, match: null, session_id: null, challenges: { incoming: [], outgoing: [] }, party: null,
};

export const EMPTY_SESSION = {
  session: {
    session_id: "s1", kind: "duel", title: "", match_id: "m1", join_code: null, join_url: null,
    created_at: "2030-01-01T12:00:00Z", finished_at: null,
  },
  phase: "lobby", ends_at: null, question: null, time_left_ms: null, correct_choice: null, tally: null,
  leaderboard: null, participant_id: "p1", score: 0, answers: [], participants: [], locked: false,
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

/** What REST says is told by tests of their own. */
const never = () => new Promise(() => {});
export const FIRST = "00000000-0000-7000-8000-000000000001";

export function make(build = matchmakingClient, options = {}) {
  const client = build({ origin: "https://play.example", WebSocket: FakeSocket, getToken: () => "t0k.e.n", readActive: never, ...options });
  const heard = [];
  client.addEventListener("message", ({ detail }) => heard.push(detail.type));
  return { client, heard };
}

export async function connected({ seq = 0, ...options } = {}) {
  const made = make(options.build, options);
  made.client.connect();
  await settled();
  FakeSocket.newest.greets(seq);
  return { ...made, socket: FakeSocket.newest };
}

export const session = (options) => sessionClient({ ...options, sessionId: "s1", deviceId: "d".repeat(16) });
