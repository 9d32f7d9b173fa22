/** What REST says after a reconnection. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { connected, EMPTY, FakeSocket, FIRST, passes, settled, stopTime } from "./cast.js";

beforeEach(stopTime);
afterEach(() => mock.timers.reset());

/** A client that has come back, and a hand to answer for REST. */
async function reconnected() {
  const answers = [];
  const readActive = () => new Promise((resolve, reject) => answers.push({ resolve, reject }));
  const made = await connected({ readActive });
  assert.equal(answers.length, 0);
  made.socket.ends(1006);
  await passes(1000);
  FakeSocket.newest.greets();
  await settled();
  const ticketId = () => made.client.known.ticket?.queue_entry_id ?? null;
  const says = async (id, at = answers.length - 1) => {
    answers[at].resolve({ ...EMPTY, ticket: { queue_entry_id: id, status: "SEARCHING" } });
    await settled();
  };
  return { ...made, answers, ticketId, says, socket: FakeSocket.newest };
}

test("after a reconnection the queue is read by REST, and the state follows", async () => {
  const { heard, answers, ticketId, says } = await reconnected();
  assert.equal(answers.length, 1);
  await says("q1");
  assert.deepEqual([ticketId(), answers.length, heard.at(-1)], ["q1", 1, "active_read"]);
});

test("what the socket says while REST is asked is newer: REST is asked again", async () => {
  const { answers, ticketId, says, socket } = await reconnected();
  socket.says("queue_joined", { queue_entry_id: "q2", status: "SEARCHING" }, { id: FIRST, seq: 1 });
  await says("q1");
  assert.deepEqual([ticketId(), answers.length], ["q2", 2]);
  await says("q2");
  assert.deepEqual([ticketId(), answers.length], ["q2", 2]);
});

test("REST that is always overtaken is let be, and so is REST that fails", async () => {
  const { answers, ticketId, says, socket } = await reconnected();
  for (let seq = 1; seq <= 5; seq++) {
    socket.says("queue_joined", { queue_entry_id: `q${seq}`, status: "SEARCHING" }, { id: FIRST, seq });
    await says("old", Math.min(seq, 3) - 1);
  }
  assert.deepEqual([ticketId(), answers.length], ["q5", 3]);
  const other = await reconnected();
  other.answers[0].reject(new Error("no"));
  await settled();
  assert.deepEqual([other.client.state, other.ticketId(), other.answers.length], ["open", null, 1]);
});

test("an answer of REST from before another reconnection counts no more", async () => {
  const { answers, ticketId, says, socket } = await reconnected();
  socket.ends(1006);
  await passes(1000);
  FakeSocket.newest.greets();
  await settled();
  await says("old", 0);
  assert.deepEqual([ticketId(), answers.length], [null, 2]);
  await says("new", 1);
  assert.deepEqual([ticketId(), answers.length], ["new", 2]);
});

test("by default REST is asked with the token", async () => {
  const asked = [];
  const { fetch } = globalThis;
  globalThis.fetch = async (url, { headers }) => (asked.push([String(url), headers.Authorization]), new Response(JSON.stringify(EMPTY)));
  try {
    const { socket } = await connected({ readActive: undefined });
    socket.ends(1006);
    await passes(1000);
    FakeSocket.newest.greets();
    await settled();
    assert.deepEqual(asked, [["https://play.example/v1/matchmaking/active", "Bearer t0k.e.n"]]);
  } finally {
    globalThis.fetch = fetch;
  }
});
