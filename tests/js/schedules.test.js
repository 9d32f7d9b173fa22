/** Whatever happens in whatever order: thousands of schedules made from seeds, and what holds in all of them. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { CLOSE_CODES } from "../../realtime/static/realtime/protocol.js";
import { matchmakingClient, sessionClient } from "../../realtime/static/realtime/sockets.js";
import { FakeSocket } from "./cast.js";
import { chance, Clock, settled } from "./chance.js";
import { Matchmaking, Session } from "./streams.js";

const SCHEDULES = Number(process.env.SCHEDULES ?? 1500);
const STEPS = 50;
const CODES = [...Object.values(CLOSE_CODES), 1005, 1006, 1011, 4042, 4499, 4500, 4777];
/** What is as likely as several others. */
const OFTEN = [
  ...["greet", "greet", "greet", "greet", "time", "time", "event", "event"],
  ...["readsRest", "answersRest", "endsAgain", "connect"],
];
const staysAway = (code) => code >= 4500;

/** A user, a client and a server; every step is one thing that one of them does. */
class World {
  wanted = false;
  commands = 0;
  held = null;
  restSeq = -1;
  reads = [];

  constructor(seed) {
    FakeSocket.made = [];
    this.clock = new Clock().start();
    this.chance = chance(seed);
    this.isSession = this.chance.happens(0.4);
    this.server = this.isSession ? new Session() : new Matchmaking();
    this.token = "good";
    const options = { origin: "https://play.example", WebSocket: FakeSocket, getToken: () => this.getToken() };
    this.client = this.isSession
      ? sessionClient({ ...options, sessionId: "s1", deviceId: "d".repeat(32) })
      : matchmakingClient({ ...options, readActive: () => this.read() });
    this.client.addEventListener("message", ({ detail }) => this.hears(detail));
  }

  getToken() {
    if (this.token === "none") return Promise.reject(new Error("no network"));
    if (this.token === "refused") {
      this.wanted = false;
      return Promise.reject(Object.assign(new Error("signed out"), { status: 401 }));
    }
    if (this.token === "slow") return new Promise((resolve) => (this.giveToken = () => resolve("t")));
    return "t";
  }

  read() {
    return new Promise((resolve) => this.reads.push({ resolve, seq: null }));
  }

  /** Durable messages come once and in order; what REST said is never older than what is known. */
  hears({ type, seq, data }) {
    if (type === "state_restored") this.held = data.seq;
    if (type === "active_read") {
      this.restSeq = data.made_at;
      assert.ok(data.made_at >= this.client.lastSeq, "an old answer of REST was taken for news");
    }
    if (seq === undefined) return;
    assert.equal(seq, this.held + 1, "a durable message came twice, or out of order");
    this.held = seq;
  }

  get socket() {
    return FakeSocket.newest?.isAlive ? FakeSocket.newest : undefined;
  }

  says(event, socket = this.socket) {
    if (event.type === "match_found" && socket?.onmessage) socket.owed = (socket.owed ?? 0) + 1;
    socket?.says(event.type, event.data, { id: event.id, seq: event.seq });
  }

  greets({ seq = this.server.seq } = {}) {
    const { socket } = this;
    if (!socket || socket.isGreeted) return;
    socket.isGreeted = true;
    socket.says("connected", { connection_id: "c", user_id: "ada", heartbeat_interval: 15, server_time: "2030-01-01T12:00:00Z", seq });
    this.restores(seq);
  }

  restores(seq = this.server.seq) {
    this.socket?.says("state_restored", { ...this.server.snapshot(seq), seq, resumed: false, gap: false, missed: [] });
  }

  /** Answer what the client has asked for. */
  answersResync(seq = this.server.seq) {
    const asked = this.socket?.sent.findLast(({ type }) => type === "resync");
    if (!asked || asked.isAnswered) return;
    asked.isAnswered = true;
    this.restores(seq);
  }

  answersProbe() {
    const asked = this.socket?.sentTypes().includes("heartbeat");
    if (asked) this.socket.says("heartbeat_ack", { server_time: "2030-01-01T12:00:00Z" });
  }

  async step() {
    const { below, pick, happens } = this.chance;
    const { client, server } = this;
    const steps = {
      connect: () => ((this.wanted ||= client.state === "closed"), client.connect()),
      close: () => happens(0.2) && ((this.wanted = false), client.close()),
      wake: () => client.wake(),
      probe: () => client.probe(),
      hide: () => (client.hidden = true),
      show: () => ((client.hidden = false), client.wake()),
      token: () => (this.token = pick(["good", "good", "good", "good", "none", "slow", "slow", "refused"])),
      giveToken: () => this.giveToken?.(),
      greet: () => this.greets(),
      greetLate: () => this.greets({ seq: Math.max(0, server.seq - below(2)) }),
      event: () => this.says(server.happens(this.chance)),
      lostEvent: () => void server.happens(this.chance),
      again: () => server.seq && this.says(pick(server.events)),
      heartbeat: () => this.socket?.isGreeted && this.socket.says("heartbeat_ping", { nonce: "n", seq: server.seq }),
      resync: () => this.answersResync(),
      oldSnapshot: () => this.socket?.isGreeted && this.answersResync(Math.max(0, server.seq - below(3))),
      ack: () => this.answersProbe(),
      readsRest: () => this.readsRest(),
      answersRest: () => this.answersRest(),
      ends: () => happens(0.3) && this.ends(pick(CODES)),
      endsAgain: () => this.ends(pick([1006, 4000, 4001, 4008])),
      goodbye: () => this.socket?.says("goodbye", { reason: "server_going", reconnect_after_ms: 1 + below(9000) }),
      ghost: () => this.ghost(),
      command: () => void client.request("leave_queue").catch(() => {}),
      time: () => this.clock.passes(below(4000)),
      longTime: () => this.clock.passes(below(40_000)),
    };
    await steps[pick([...Object.keys(steps), ...OFTEN])]();
    await settled();
  }

  readsRest() {
    for (const read of this.reads) read.seq ??= this.server.seq;
  }

  answersRest() {
    for (const { resolve, seq } of this.reads.filter((read) => read.seq !== null)) {
      resolve({ ...this.server.snapshot(seq), made_at: seq });
    }
    this.reads = this.reads.filter(({ seq }) => seq === null);
  }

  ends(code) {
    if (!this.socket) return;
    if (staysAway(code)) this.wanted = false;
    this.socket.ends(code);
  }

  /** A socket of the past speaks, or ends, late. */
  ghost() {
    const gone = FakeSocket.made.filter((socket) => !socket.isAlive);
    if (!gone.length) return;
    const socket = this.chance.pick(gone);
    if (this.server.seq) this.says(this.chance.pick(this.server.events), socket);
    socket.onclose?.({ code: 4510 });
  }

  check() {
    const { client } = this;
    const waiting = this.waitingCommands();
    assert.ok(FakeSocket.alive.length <= 1, "two sockets are alive");
    if (client.state === "closed") {
      assert.equal(FakeSocket.alive.length, 0, "a closed client has a socket");
      assert.equal(this.clock.pending, client.retryAt === null ? 0 : 1, "a closed client has timers");
    } else {
      const [least, most] = client.state === "open" ? [1, 2] : [1, 1];
      const timers = this.clock.pending - waiting;
      assert.ok(timers >= least && timers <= most, `${timers} timers in the state ${client.state}`);
    }
    if (!this.wanted) assert.deepEqual([client.state, client.retryAt], ["closed", null], "it is there unasked");
    this.checkKnown();
    for (const socket of FakeSocket.made) {
      const acks = socket.sentTypes().filter((type) => type === "ack").length;
      assert.equal(acks, socket.owed ?? 0, "one ack for each match_found");
    }
  }

  checkKnown() {
    const { client, server } = this;
    if (!client.known.restored) return;
    assert.equal(client.known.seq, client.lastSeq);
    const known = server.constructor.known(client.known);
    // Events from before the answer of REST come one by one until they have caught up.
    if (this.restSeq <= client.lastSeq) assert.deepEqual(known, server.states[client.lastSeq]);
  }

  waitingCommands() {
    if (this.client.state !== "open") return 0;
    const { now } = this.clock;
    return FakeSocket.newest.sent.filter(({ ref, at }) => ref !== undefined && now - at < 10_000).length;
  }

  /** From now on all is well. */
  async allIsWell() {
    this.token = "good";
    this.giveToken?.();
    this.client.hidden = false;
    this.client.wake();
    for (let seconds = 0; seconds < 60; seconds += 1) {
      await settled();
      this.greets();
      this.answersProbe();
      if (seconds % 15 === 0 && this.socket?.isGreeted) this.socket.says("heartbeat_ping", { nonce: "n", seq: this.server.seq });
      this.answersResync();
      this.readsRest();
      this.answersRest();
      await this.clock.passes(1000);
    }
  }

  checkEnd() {
    const { client, server } = this;
    if (this.wanted) {
      assert.equal(client.state, "open", "it does not come back");
      assert.equal(client.lastSeq, server.seq, "something is missing for good");
      assert.deepEqual(server.constructor.known(client.known), server.states[server.seq]);
    } else {
      assert.deepEqual([client.state, this.clock.pending, FakeSocket.alive.length], ["closed", 0, 0]);
    }
  }
}

test(`in ${SCHEDULES} schedules all promises hold`, async (t) => {
  let open = 0;
  let reads = 0;
  for (let seed = 1; seed <= SCHEDULES; seed++) {
    const world = new World(seed);
    try {
      for (let step = 0; step < STEPS; step++) {
        await world.step();
        world.check();
      }
      await world.allIsWell();
      world.checkEnd();
    } catch (error) {
      error.message = `with seed ${seed}: ${error.message}`;
      throw error;
    } finally {
      world.clock.stop();
    }
    open += world.wanted ? 1 : 0;
    reads += world.restSeq >= 0 ? 1 : 0;
  }
  t.diagnostic(`${open} ended connected, ${reads} took in what REST said`);
  assert.ok(open > SCHEDULES / 10 && reads > SCHEDULES / 10, "the schedules try too little");
});
