import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { CommandError } from "../../realtime/static/realtime/client.js";
import { matchmakingClient } from "../../realtime/static/realtime/sockets.js";
import { connected, FakeSocket, FIRST, make, NOON, passes, session, settled, stopTime } from "./cast.js";

beforeEach(stopTime);
afterEach(() => mock.timers.reset());

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
  assert.deepEqual(socket.sentFrames(), [
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

test("a state that was made before what is held is not told, and asked for again", async () => {
  const { client, heard, socket } = await connected({ seq: 3 });
  client.resync();
  socket.says("queue_cancelled", { queue_entry_id: "q1", reason: "staff" }, { id: FIRST, seq: 4 });
  const before = [client.known, heard.length];
  socket.restores(3);
  assert.deepEqual([client.known, heard.length, client.lastSeq], [...before, 4]);
  assert.deepEqual(socket.sentTypes(), ["resync", "resync"]);
  socket.restores(4);
  assert.equal(heard.at(-1), "state_restored");
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

// --- tokens

test("a token that is about to expire is replaced on the open connection", async () => {
  const asked = [];
  const getToken = (wish) => (asked.push(wish.fresh), wish.fresh ? "n.e.w" : "o.l.d");
  const { socket } = await connected({ getToken });
  socket.says("token_expiring", { expires_in: 60 });
  await settled();
  assert.deepEqual(socket.sentFrames(), [{ type: "authenticate", ref: undefined, data: { token: "n.e.w" } }]);
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
  const [{ ref, ...rest }] = socket.sentFrames();
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

test("to queue and to leave the queue are calls", async () => {
  const { client, socket } = await connected();
  const joining = client.joinQueue({ pool_key: "duel", max_gap: 50 });
  socket.says("queue_joined", { queue_entry_id: "q1" }, { id: FIRST, seq: 1, ref: "1" });
  assert.equal((await joining).queue_entry_id, "q1");
  assert.equal(client.known.ticket.queue_entry_id, "q1");
  const leaving = client.leaveQueue();
  socket.says("queue_cancelled", { queue_entry_id: "q1", reason: "user_request" }, { id: FIRST, seq: 2, ref: "2" });
  await leaving;
  assert.equal(client.known.ticket, null);
  const sent = socket.sent.map(({ type, data }) => [type, data]);
  assert.deepEqual(sent, [["join_queue", { pool_key: "duel", max_gap: 50 }], ["leave_queue", {}]]);
});

test("a ready check is answered, and what is told of the match next is the answer", async () => {
  const { client, socket } = await connected();
  socket.says("match_found", { match_id: "m1", accept_within_ms: 20_000 }, { id: FIRST, seq: 1 });
  const accepting = client.acceptMatch("m1");
  assert.deepEqual(socket.sent.at(-1).data, { match_id: "m1" });
  let isDone = false;
  accepting.then(() => (isDone = true));
  socket.says("match_acceptance", { match_id: "older", accepted: 2, needed: 2 });
  await settled();
  assert.equal(isDone, false);
  socket.says("match_acceptance", { match_id: "m1", accepted: 1, needed: 2 });
  await settled();
  assert.equal(isDone, true);
});

test("an answer to a ready check that comes too late is refused, and a lost one is told", async () => {
  const { client, socket } = await connected();
  const declining = client.declineMatch("m1");
  const { type, ref } = socket.sent.at(-1);
  assert.equal(type, "decline_match");
  socket.says("error", { code: "not_awaiting_acceptance", detail: "Too late" }, { ref });
  await assert.rejects(declining, { code: "not_awaiting_acceptance" });
  const accepting = client.acceptMatch("m1");
  socket.ends(1006);
  await assert.rejects(accepting, { code: "connection_lost" });
});

test("to answer and to take another name are calls", async () => {
  const { client, socket } = await connected({ build: session });
  const answering = client.answer("q1", 2);
  const result = { question_id: "q1", accepted: true, choice: 2, correct: true, score: 800 };
  socket.says("answer_result", result, { ref: "1" });
  assert.deepEqual(await answering, result);
  assert.equal(client.known.score, 800);
  const renaming = client.rename("Eve");
  socket.says("error", { code: "name_taken", detail: "Taken" }, { ref: "2" });
  await assert.rejects(renaming, { code: "name_taken" });
  const sent = socket.sent.map(({ type, data }) => [type, data]);
  assert.deepEqual(sent, [["answer", { question_id: "q1", choice: 2 }], ["rename", { display_name: "Eve" }]]);
});

test("what is known changes before anybody is told", async () => {
  const { client } = make();
  const seen = [];
  for (const type of ["state", "message", "change"]) client.addEventListener(type, () => seen.push([type, client.known.restored]));
  client.connect();
  await settled();
  FakeSocket.newest.greets();
  const expected = [["state", false], ["message", false], ["change", false], ["state", true], ["message", true], ["change", true]];
  assert.deepEqual(seen, expected);
});
