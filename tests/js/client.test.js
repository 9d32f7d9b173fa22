import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { CommandError } from "../../realtime/static/realtime/client.js";
import { matchmakingClient, sessionClient } from "../../realtime/static/realtime/sockets.js";
import { FakeSocket, NOON, passes, settled, stopTime } from "./cast.js";

beforeEach(stopTime);
afterEach(() => mock.timers.reset());

const FIRST = "00000000-0000-7000-8000-000000000001";

function make(build = matchmakingClient, options = {}) {
  const client = build({ origin: "https://play.example", WebSocket: FakeSocket, getToken: () => "t0k.e.n", ...options });
  const heard = [];
  client.addEventListener("message", ({ detail }) => heard.push(detail.type));
  return { client, heard };
}

async function connected({ seq = 0, ...options } = {}) {
  const made = make(options.build, options);
  made.client.connect();
  await settled();
  FakeSocket.newest.greets(seq);
  return { ...made, socket: FakeSocket.newest };
}

const session = (options) => sessionClient({ ...options, sessionId: "s1", deviceId: "d".repeat(16) });

// --- connecting

test("it connects with both subprotocols and without a token in the address", async () => {
  const { client } = make();
  assert.equal(client.state, "closed");
  client.connect();
  assert.equal(client.state, "connecting");
  await settled();
  assert.equal(FakeSocket.newest.url, "wss://play.example/ws/matchmaking/");
  assert.deepEqual(FakeSocket.newest.protocols, ["matchmaking.v1", "bearer.t0k.e.n"]);
  FakeSocket.newest.greets();
  assert.equal(client.state, "open");
});

test("a session's address has the session and the device", async () => {
  await connected({ build: session });
  assert.equal(FakeSocket.newest.url, "wss://play.example/ws/sessions/s1/?device_id=dddddddddddddddd");
});

test("connecting again and again makes one socket", async () => {
  const { client } = make();
  client.connect();
  client.connect();
  client.wake();
  await settled();
  client.connect();
  FakeSocket.newest.greets();
  client.connect();
  await settled();
  assert.deepEqual([client.state, FakeSocket.made.length], ["open", 1]);
});

test("a token that comes after closing opens no socket", async () => {
  let give;
  const { client } = make(matchmakingClient, { getToken: () => new Promise((resolve) => (give = resolve)) });
  client.connect();
  client.close();
  give("t0k.e.n");
  await settled();
  assert.equal(FakeSocket.made.length, 0);
});

test("a server that accepts and says nothing is given up after 10 s", async () => {
  const { client } = make();
  client.connect();
  await settled();
  await passes(10_000);
  assert.deepEqual([client.state, client.retryDelayMs, FakeSocket.alive.length], ["closed", 1000, 0]);
});

test("it knows the server's clock", async () => {
  const { client } = make();
  client.connect();
  await settled();
  mock.timers.tick(3000);
  FakeSocket.newest.greets();
  assert.equal(client.serverNow(), NOON);
});

// --- what is owed

test("pings, heartbeats and a found match are answered before any listener runs", async () => {
  const { client, socket } = await connected();
  const sentBefore = [];
  client.addEventListener("message", () => sentBefore.push(socket.sentTypes()));
  socket.says("ping", { nonce: "p" });
  socket.says("heartbeat_ping", { nonce: "h", seq: 0 });
  socket.says("match_found", { match_id: "m1" }, { id: FIRST, seq: 1 });
  assert.deepEqual(socket.sent, [
    { type: "pong", ref: undefined, data: { nonce: "p" } },
    { type: "heartbeat_pong", ref: undefined, data: { nonce: "h" } },
    { type: "ack", ref: undefined, data: { id: FIRST } },
  ]);
  assert.deepEqual(sentBefore, [["pong"], ["pong", "heartbeat_pong"], ["pong", "heartbeat_pong", "ack"]]);
});

test("a found match that is sent again is acknowledged again and told once", async () => {
  const { heard, socket } = await connected();
  socket.says("match_found", { match_id: "m1" }, { id: FIRST, seq: 1 });
  socket.says("match_found", { match_id: "m1" }, { id: FIRST, seq: 1 });
  assert.deepEqual(socket.sentTypes(), ["ack", "ack"]);
  assert.equal(heard.filter((type) => type === "match_found").length, 1);
});

// --- the stream

test("it reconnects with the newest seq", async () => {
  const { socket } = await connected({ seq: 7 });
  socket.says("queue_joined", {}, { id: FIRST, seq: 8 });
  socket.ends(1006);
  await passes(1000);
  assert.equal(FakeSocket.newest.url, "wss://play.example/ws/matchmaking/?last_seq=8");
});

test("also a stream without events yet is resumed, from 0", async () => {
  const { socket } = await connected({ seq: 0 });
  socket.ends(1006);
  await passes(1000);
  assert.equal(FakeSocket.newest.url, "wss://play.example/ws/matchmaking/?last_seq=0");
});

test("a heartbeat that is ahead asks for the state, once", async () => {
  const { client, socket } = await connected({ seq: 3 });
  socket.says("heartbeat_ping", { nonce: "a", seq: 3 });
  assert.deepEqual(socket.sentTypes(), ["heartbeat_pong"]);
  socket.says("heartbeat_ping", { nonce: "b", seq: 5 });
  socket.says("heartbeat_ping", { nonce: "c", seq: 5 });
  assert.deepEqual(socket.sent.filter(({ type }) => type === "resync").map(({ data }) => data), [{ last_seq: 3 }]);
  socket.restores(5);
  assert.equal(client.lastSeq, 5);
});

test("an event after a gap is not told: the state that is asked for tells all", async () => {
  const { client, heard, socket } = await connected({ seq: 3 });
  socket.says("queue_cancelled", {}, { id: FIRST, seq: 5 });
  assert.deepEqual(socket.sentTypes(), ["resync"]);
  assert.ok(!heard.includes("queue_cancelled"));
  assert.equal(client.lastSeq, 3);
});

test("a state that is older than an event seen before it is asked for again", async () => {
  const { client } = make();
  client.connect();
  await settled();
  FakeSocket.newest.says("queue_joined", {}, { id: FIRST, seq: 4 });
  FakeSocket.newest.greets(3);
  assert.deepEqual(FakeSocket.newest.sent.map(({ type, data }) => [type, data]), [["resync", { last_seq: 3 }]]);
});

test("a server that was set back is believed", async () => {
  const { client, heard, socket } = await connected({ seq: 900 });
  socket.says("queue_cancelled", {}, { id: FIRST, seq: 901 });
  socket.ends(1006);
  await passes(1000);
  FakeSocket.newest.greets(2);
  assert.deepEqual(FakeSocket.newest.sent, []);
  FakeSocket.newest.says("queue_joined", {}, { id: FIRST, seq: 3 });
  assert.equal(client.lastSeq, 3);
  assert.equal(heard.at(-1), "queue_joined");
});

// --- losing and coming back

test("matchmaking tries three times, then waits to be woken", async () => {
  const { client, socket } = await connected();
  socket.ends(1006);
  for (const delay of [1000, 2000, 4000]) {
    assert.deepEqual([client.state, client.retryDelayMs, client.isReconnecting], ["closed", delay, true]);
    await passes(delay - 1);
    assert.equal(FakeSocket.alive.length, 0);
    await passes(1);
    assert.deepEqual([client.state, FakeSocket.alive.length], ["connecting", 1]);
    FakeSocket.newest.ends(1006);
  }
  assert.deepEqual([client.retryAt, client.isReconnecting], [null, false]);
  await passes(600_000);
  assert.equal(FakeSocket.made.length, 4);
  client.wake();
  await settled();
  assert.equal(FakeSocket.made.length, 5);
});

test("a session tries without end", async () => {
  const { client, socket } = await connected({ build: session });
  socket.ends(1006);
  for (let tries = 1; tries <= 20; tries++) {
    await passes(client.retryDelayMs);
    FakeSocket.newest.ends(1006);
  }
  assert.deepEqual([FakeSocket.made.length, client.retryDelayMs], [21, 30_000]);
});

test("a hidden session sleeps when the grace period is over, until it is seen", async () => {
  const { client, socket } = await connected({ build: session });
  client.hidden = true;
  socket.ends(1006);
  for (let waited = 0; client.retryAt !== null; ) {
    waited += client.retryDelayMs;
    assert.ok(waited <= 31_000);
    await passes(client.retryDelayMs);
    FakeSocket.newest.ends(1006);
  }
  client.hidden = false;
  client.wake();
  await settled();
  assert.equal(FakeSocket.alive.length, 1);
});

test("being woken cuts a wait short and leaves one socket", async () => {
  const { client, socket } = await connected();
  socket.ends(1006);
  client.wake();
  client.wake();
  await settled();
  await passes(5000);
  assert.equal(FakeSocket.made.length, 2);
  assert.equal(FakeSocket.alive.length, 1);
});

test("a connection that works starts the count anew", async () => {
  const { client, socket } = await connected();
  socket.ends(1006);
  await passes(1000);
  FakeSocket.newest.ends(1006);
  await passes(2000);
  FakeSocket.newest.greets();
  assert.equal(client.tries, 0);
  FakeSocket.newest.ends(1006);
  assert.equal(client.retryDelayMs, 1000);
});

test("a token that cannot be had counts as a failure", async () => {
  const { client } = make(matchmakingClient, { getToken: () => Promise.reject(new Error("no")) });
  client.connect();
  await settled();
  assert.deepEqual([client.state, client.retryDelayMs, FakeSocket.made.length], ["closed", 1000, 0]);
});

for (const code of [4501, 4503, 4504, 4509, 4510, 4513, 4999]) {
  test(`after ${code} it stays away, even when woken, until the user wants it`, async () => {
    const { client, socket } = await connected();
    socket.ends(code);
    client.wake();
    await passes(600_000);
    assert.deepEqual([client.state, client.closeCode, client.retryAt, FakeSocket.made.length], ["closed", code, null, 1]);
    client.connect();
    await settled();
    assert.equal(FakeSocket.made.length, 2);
  });
}

for (const code of [1000, 1006, 1009, 4000, 4001, 4008, 4009, 4029, 4499]) {
  test(`after ${code} it comes back`, async () => {
    const { client, socket } = await connected();
    socket.ends(code);
    await passes(client.retryDelayMs);
    assert.equal(FakeSocket.made.length, 2);
  });
}

test("after goodbye it comes back when the server said, then by its own policy", async () => {
  const { client, socket } = await connected();
  socket.says("goodbye", { reason: "server_going", reconnect_after_ms: 3456 });
  socket.ends(4000);
  assert.equal(client.retryDelayMs, 3456);
  await passes(3456);
  FakeSocket.newest.ends(1006);
  assert.equal(client.retryDelayMs, 2000);
});

test("closing ends everything, and nothing comes back", async () => {
  const { client, heard, socket } = await connected();
  client.close();
  assert.equal(socket.isAlive, false);
  socket.ends(1006);
  await passes(600_000);
  client.wake();
  await settled();
  assert.deepEqual([client.state, FakeSocket.made.length, heard.length], ["closed", 1, 2]);
});

// --- silence

test("30 s without a heartbeat are the end of a connection, other messages or not", async () => {
  const { client, socket } = await connected();
  await passes(20_000);
  socket.says("queue_update", {});
  await passes(9999);
  assert.equal(client.state, "open");
  await passes(1);
  assert.deepEqual([client.state, client.retryDelayMs, FakeSocket.alive.length], ["closed", 1000, 0]);
  await passes(1000);
  assert.equal(FakeSocket.alive.length, 1);
});

test("heartbeats keep a connection", async () => {
  const { client, socket } = await connected();
  for (let count = 0; count < 20; count++) {
    await passes(15_000);
    socket.says("heartbeat_ping", { nonce: "n", seq: 0 });
  }
  assert.deepEqual([client.state, FakeSocket.made.length], ["open", 1]);
});

test("an old socket that speaks or ends late is not heard", async () => {
  const { client, heard, socket } = await connected();
  await passes(30_000);
  await passes(1000);
  FakeSocket.newest.greets();
  const before = heard.length;
  socket.says("queue_joined", {}, { id: FIRST, seq: 1 });
  socket.ends(1006);
  assert.deepEqual([client.state, heard.length, FakeSocket.made.length], ["open", before, 2]);
});

test("waking an open connection asks whether it lives", async () => {
  const { client, socket } = await connected();
  client.wake();
  client.wake();
  assert.deepEqual(socket.sentTypes(), ["heartbeat"]);
  socket.says("heartbeat_ack", { server_time: "2030-01-01T12:00:00Z" });
  await passes(20_000);
  assert.equal(client.state, "open");
  client.wake();
  await passes(5000);
  assert.deepEqual([client.state, FakeSocket.alive.length], ["closed", 0]);
});

test("a question to an old connection does not end the new one", async () => {
  const { client, socket } = await connected();
  client.wake();
  socket.ends(1006);
  await passes(1000);
  FakeSocket.newest.greets();
  await passes(10_000);
  assert.deepEqual([client.state, FakeSocket.made.length], ["open", 2]);
});

// --- tokens

test("a token that is about to expire is replaced on the open connection", async () => {
  const asked = [];
  const getToken = (wish) => (asked.push(wish.fresh), wish.fresh ? "n.e.w" : "o.l.d");
  const { socket } = await connected({ getToken });
  socket.says("token_expiring", { expires_in: 60 });
  await settled();
  assert.deepEqual(socket.sent, [{ type: "authenticate", ref: undefined, data: { token: "n.e.w" } }]);
  assert.deepEqual(asked, [false, true]);
});

test("after 4001 it comes back with a new token", async () => {
  const getToken = ({ fresh }) => (fresh ? "n.e.w" : "o.l.d");
  const { socket } = await connected({ getToken });
  socket.ends(4001);
  await passes(1000);
  assert.equal(FakeSocket.newest.protocols[1], "bearer.n.e.w");
});

// --- commands

test("a command is answered by the message with its ref", async () => {
  const { client, socket } = await connected();
  const joining = client.request("join_queue", { pool_key: "duel" });
  const [{ ref, ...rest }] = socket.sent;
  assert.deepEqual(rest, { type: "join_queue", data: { pool_key: "duel" } });
  socket.says("queue_joined", { pool_key: "duel" }, { id: FIRST, seq: 1, ref });
  assert.equal((await joining).data.pool_key, "duel");
});

test("a command that is refused says why", async () => {
  const { client, socket } = await connected();
  const joining = client.request("join_queue", { pool_key: "duel" });
  socket.says("error", { code: "already_in_queue", detail: "You queue already", queue_entry_id: "q1" }, { ref: socket.sent[0].ref });
  await assert.rejects(joining, (error) => {
    assert.ok(error instanceof CommandError);
    assert.deepEqual([error.code, error.message, error.problem.queue_entry_id], ["already_in_queue", "You queue already", "q1"]);
    return true;
  });
});

test("commands do not wait for ever", async () => {
  const { client } = await connected();
  const leaving = client.request("leave_queue");
  mock.timers.tick(10_000);
  await assert.rejects(leaving, { code: "no_answer" });
});

test("commands end with their connection, and without one are refused", async () => {
  const { client, socket } = await connected();
  const leaving = client.request("leave_queue");
  socket.ends(1006);
  await assert.rejects(leaving, { code: "connection_lost" });
  await assert.rejects(client.request("leave_queue"), { code: "connection_lost" });
});
