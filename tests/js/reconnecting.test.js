/** Losing the connection, and coming back. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { matchmakingClient } from "../../realtime/static/realtime/sockets.js";
import { connected, FakeSocket, FIRST, make, passes, session, settled, stopTime } from "./cast.js";

beforeEach(stopTime);
afterEach(() => mock.timers.reset());

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

test("a session tries without end: after 1, 2, 4, 8, 16, then every 30 s", async () => {
  const { client, socket } = await connected({ build: session });
  const waits = [];
  socket.ends(1006);
  for (let tries = 1; tries <= 20; tries++) {
    waits.push(client.retryDelayMs);
    const before = FakeSocket.made.length;
    await passes(client.retryDelayMs - 1);
    assert.deepEqual([FakeSocket.made.length, client.retryInMs, client.tries], [before, 1, tries]);
    await passes(1);
    FakeSocket.newest.ends(1006);
  }
  assert.deepEqual(waits, [1000, 2000, 4000, 8000, 16_000, ...Array(15).fill(30_000)]);
});

test("after its three tries matchmaking makes three more when it is woken", async () => {
  const { client, socket } = await connected();
  for (const round of [1, 2]) {
    if (round === 1) socket.ends(1006);
    else {
      client.wake();
      await settled();
      FakeSocket.newest.ends(1006);
    }
    for (const delay of [1000, 2000, 4000]) {
      assert.equal(client.retryDelayMs, delay);
      await passes(delay);
      FakeSocket.newest.ends(1006);
    }
    assert.equal(client.retryAt, null);
  }
});

test("a try that hangs is made anew when the client is woken, a young one is not", async () => {
  const { client } = make();
  client.connect();
  await settled();
  await passes(2999);
  client.wake();
  assert.equal(FakeSocket.made.length, 1);
  await passes(1);
  client.wake();
  await settled();
  assert.deepEqual([FakeSocket.made.length, FakeSocket.alive.length], [2, 1]);
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

test("a token that is refused is not asked for again by itself", async () => {
  const refusal = Object.assign(new Error("signed out"), { status: 401 });
  let asked = 0;
  const { client } = make(session, { getToken: () => (asked++, Promise.reject(refusal)) });
  client.connect();
  await settled();
  client.wake();
  await passes(600_000);
  assert.deepEqual([client.state, client.retryAt, client.tokenError, asked], ["closed", null, refusal, 1]);
});

test("after 4501 the user's next try asks for a fresh token", async () => {
  const asked = [];
  const { client, socket } = await connected({ getToken: ({ fresh }) => (asked.push(fresh), "t") });
  socket.ends(4501);
  client.connect();
  await settled();
  assert.deepEqual(asked, [false, true]);
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

test("a listener that closes hears nothing more, and nothing stays", async () => {
  const { client, heard } = make();
  client.addEventListener("state", () => client.state === "open" && client.close());
  client.connect();
  await settled();
  FakeSocket.newest.greets();
  assert.deepEqual([client.state, FakeSocket.alive.length, heard], ["closed", 0, ["connected"]]);
});

test("a listener that closes whenever it is told is told once", async () => {
  const { client } = await connected();
  let told = 0;
  client.addEventListener("state", () => (told++, client.close()));
  client.close();
  assert.deepEqual([client.state, told], ["closed", 1]);
});

test("an old goodbye does not delay the way back from a later loss", async () => {
  const { client, socket } = await connected();
  socket.says("goodbye", { reason: "server_going", reconnect_after_ms: 9000 });
  client.close();
  client.connect();
  await settled();
  FakeSocket.newest.greets();
  FakeSocket.newest.ends(1006);
  assert.equal(client.retryDelayMs, 1000);
});

test("one may wait until it is open, or does not try any more", async () => {
  const { client } = make();
  client.connect();
  const opened = client.opened();
  await settled();
  FakeSocket.newest.greets();
  await opened;
  await client.opened();
  FakeSocket.newest.ends(4503);
  await assert.rejects(client.opened(), { code: "connection_lost" });
});

test("where there is no WebSocket it says so at once", () => {
  const { WebSocket: own } = globalThis;
  delete globalThis.WebSocket;
  try {
    assert.throws(() => make(matchmakingClient, { WebSocket: undefined }), TypeError);
  } finally {
    if (own) globalThis.WebSocket = own;
  }
});

test("an error of a socket has a listener, also when it comes late", async () => {
  const { client, socket } = await connected();
  client.close();
  socket.onerror({});
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
