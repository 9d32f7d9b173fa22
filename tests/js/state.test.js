import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { DURABLE, SERVER_MESSAGES } from "../../realtime/static/realtime/protocol.js";
import { APPLIED, MATCHMAKING, reduce, SESSION } from "../../realtime/static/realtime/state.js";
import { EMPTY, EMPTY_SESSION } from "./cast.js";

const TICKET = Object.freeze({
  queue_entry_id: "q1", pool_key: "duel", status: "SEARCHING", queued_at: "2030-01-01T12:00:00Z", waited_seconds: 0,
  rating: 1500, rating_window: 100, position: 1, estimated_wait_seconds: null, match_id: null, game_id: null,
  cancel_reason: null,
});
const BEN = Object.freeze({ user_id: "ben", display_name: "Ben", rating: 1480 });
const MATCH = Object.freeze({
  match_id: "m1", game_id: "g1", pool_key: "duel", mode: "duel", time_control: "5+0", rated: true, status: "PROPOSED",
  queue_entry_ids: ["q1", "q2"], metadata: {}, quality: 0.9, created_at: "2030-01-01T12:00:09Z", confirmed_at: null,
  result: null,
  players: [
    { user_id: "ada", display_name: "Ada", rating: 1500, color: "WHITE", team: 0 },
    { ...BEN, color: "BLACK", team: 1 },
  ],
});

const connected = { type: "connected", data: { user_id: "ada", seq: 0 } };
const restored = (more, seq = 0) =>
  ({ type: "state_restored", data: { ...EMPTY, seq, resumed: false, gap: false, missed: [], ...more } });
const event = (seq, type, data) => ({ type, id: `id${seq}`, seq, timestamp: `2030-01-01T12:00:${10 + seq}Z`, data });

const joined = (seq) => event(seq, "queue_joined", TICKET);
const ping = { type: "ping", data: { nonce: "n" } };
const found = (seq) =>
  event(seq, "match_found", {
    match_id: "m1", game_id: "g1", queue_entry_id: "q1", pool_key: "duel", opponents: [BEN], color: "WHITE", team: 0,
    ack_within_ms: 2000,
  });
const ready = (seq) => event(seq, "match_ready", { match_id: "m1", game_id: "g1", session_id: "s1" });
const cancelled = (seq, more) =>
  event(seq, "match_cancelled", {
    match_id: "m1", reason: "opponent_unreachable", requeued: true, queue_entry_id: "q1", position: 1, ...more,
  });
const ended = (seq, reason) => event(seq, "queue_cancelled", { queue_entry_id: "q1", reason });

const challenge = (id, more) => ({
  challenge_id: id, challenger: { user_id: "ben", display_name: "Ben" },
  opponent: { user_id: "ada", display_name: "Ada" }, status: "PENDING", ...more,
});
const asked = (seq, id) => event(seq, "challenge_received", challenge(id));
const accepting = (seq) => event(seq, "match_found", { ...found(seq).data, accept_within_ms: 20_000 });
const acceptance = (accepted) => ({ type: "match_acceptance", data: { match_id: "m1", accepted, needed: 2 } });

const [ADA_THERE, BEN_IN_PARTY] = ["ada", "ben"].map((id) => ({ user_id: id, display_name: id, connected: true }));
const party = (more) => ({ party_id: "p1", leader: "ben", members: [BEN_IN_PARTY, ADA_THERE], status: "IDLE", ...more });
const invitedTo = (seq, more) => event(seq, "party_invited", party({ members: [BEN_IN_PARTY], ...more }));
const changed = (seq, more) => event(seq, "party_updated", party(more));
const mine = { challenger: { user_id: "ada", display_name: "Ada" }, opponent: null };

const play = (messages, start = MATCHMAKING) => [connected, restored({}), ...messages].reduce(reduce, start);
const without = (state, ...names) =>
  Object.fromEntries(Object.entries(state).filter(([name]) => !names.includes(name)));

describe("the protocol", () => {
  test("every durable type changes a state, and no other type does that is not in it", () => {
    const applied = new Set([...APPLIED.matchmaking, ...APPLIED.session]);
    assert.deepEqual(DURABLE.filter((type) => !applied.has(type)), []);
    assert.deepEqual([...applied].filter((type) => !SERVER_MESSAGES.includes(type)), ["active_read"]);
  });
});

describe("a snapshot and events give what a fresh snapshot gives", () => {
  const histories = {
    "a ticket": [[joined(1)], { ticket: TICKET }],
    "a ticket that ended": [[joined(1), ended(2, "timed_out")], {}],
    "a match that was found": [
      [joined(1), ping, found(2)],
      { ticket: { ...TICKET, status: "RESERVED", match_id: "m1" }, match: MATCH },
    ],
    "a match that is on": [
      [joined(1), ping, found(2), ready(3)],
      { match: { ...MATCH, status: "CONFIRMED" }, session_id: "s1" },
    ],
    "a match that was rolled back": [[joined(1), ping, found(2), cancelled(3)], { ticket: TICKET }],
    "a match that was rolled back before it was told": [[joined(1), ping, cancelled(2)], { ticket: TICKET }],
    "a match that the player declined": [
      [joined(1), found(2), cancelled(3, { reason: "you_declined", requeued: false, position: null })],
      {},
    ],
    "challenges, the newest first": [
      [asked(1, "c1"), event(2, "challenge_updated", challenge("c2", mine)), asked(3, "c3")],
      { challenges: { incoming: [challenge("c3"), challenge("c1")], outgoing: [challenge("c2", mine)] } },
    ],
    "a challenge that ended": [
      [asked(1, "c1"), event(2, "challenge_updated", challenge("c1", { status: "DECLINED" }))],
      {},
    ],
    "a ready check": [
      [joined(1), ping, accepting(2)],
      { ticket: { ...TICKET, status: "RESERVED", match_id: "m1" }, match: { ...MATCH, status: "AWAITING_ACCEPTANCE" } },
      "accept_by",
    ],
    "a ready check that all have passed": [
      [joined(1), ping, accepting(2), acceptance(2), ready(3)],
      { match: { ...MATCH, status: "CONFIRMED" }, session_id: "s1" },
    ],
    "a party": [[invitedTo(1), changed(2)], { party: party() }],
    "a party that queues": [[changed(1), changed(2, { status: "QUEUED" })], { party: party({ status: "QUEUED" }) }],
    "a party that one was sent away from": [[changed(1), changed(2, { members: [BEN_IN_PARTY] })], {}],
    "a party that is over": [[changed(1), changed(2, { status: "DISBANDED" })], {}],
    "a second try": [
      [joined(1), found(2), cancelled(3), event(4, "match_found", { ...found(4).data, match_id: "m2" })],
      { ticket: { ...TICKET, status: "RESERVED", match_id: "m2" }, match: { ...MATCH, match_id: "m2" } },
    ],
  };
  for (const [name, [events, snapshot, ofMatch]] of Object.entries(histories)) {
    test(name, () => {
      const seq = events.filter((message) => message.seq).length;
      const fresh = [connected, restored(snapshot, seq)].reduce(reduce, MATCHMAKING);
      const compared = (state) => ({ ...without(state, "notice"), match: state.match && without(state.match, ofMatch) });
      assert.deepEqual(compared(play(events)), compared(fresh));
    });
  }
});

describe("events", () => {
  test("that come twice change nothing, not even the object", () => {
    const history = [joined(1), ping, found(2), cancelled(3)];
    const state = play(history);
    for (const message of history.filter(({ seq }) => seq)) assert.equal(reduce(state, message), state);
  });

  test("of an unknown type or of the other socket change nothing", () => {
    const state = play([joined(1)]);
    assert.equal(reduce(state, event(2, "game_over", {})), state);
    assert.equal(reduce(state, { type: "something_new", data: {} }), state);
  });

  test("of another ticket leave ours alone", () => {
    const state = play([joined(1)]);
    const update = { type: "queue_update", data: { queue_entry_id: "other", position: 9, waiting: 9 } };
    assert.equal(reduce(state, update), state);
    const other = { queue_entry_id: "other", reason: "staff" };
    assert.equal(reduce(state, event(2, "queue_cancelled", other)).ticket, state.ticket);
  });

  test("of another match leave ours alone", () => {
    const state = play([joined(1), found(2)]);
    assert.equal(reduce(state, cancelled(3, { match_id: "older" })).match, state.match);
  });
});

test("a queue update moves place, window and estimate", () => {
  const data = { queue_entry_id: "q1", position: 3, estimated_wait: 12, waiting: 7, rating_window: 150 };
  const state = play([joined(1), { type: "queue_update", data }]);
  const { position, estimated_wait_seconds, rating_window } = state.ticket;
  assert.deepEqual([position, estimated_wait_seconds, rating_window, state.waiting], [3, 12, 150, 7]);
});

test("a health check shows that there is a match before it is told", () => {
  assert.equal(play([joined(1), ping]).ticket.status, "RESERVED");
  assert.equal(play([ping]).ticket, null);
});

describe("a ready check", () => {
  const of = ({ match: { stage, accept_by, accepted, needed } }) => [stage, accept_by, accepted, needed];
  const on = [joined(1), accepting(2), acceptance(1)];

  test("lasts from the match that was found, and counts who is ready", () => {
    assert.deepEqual(of(play(on)), ["accepting", "2030-01-01T12:00:32.000Z", 1, 2]);
    assert.deepEqual(of(play([joined(1), found(2)])), ["found", null, 0, null]);
  });

  test("is known still after a reconnect, and over when the match is on", () => {
    const match = { ...MATCH, status: "AWAITING_ACCEPTANCE" };
    assert.deepEqual(of(play([...on, restored({ match }, 2)])), ["accepting", "2030-01-01T12:00:32.000Z", 1, 2]);
    assert.deepEqual(of(play([restored({ match }, 2)])), ["accepting", null, 0, null]);
    assert.deepEqual(of(play([...on, ready(3)])), ["confirmed", null, 0, null]);
    const isOn = restored({ match: { ...MATCH, status: "CONFIRMED" } }, 3);
    assert.deepEqual(of(play([...on, isOn])), ["confirmed", null, 0, null]);
  });

  test("is not forgotten by a snapshot from before all had acknowledged", () => {
    assert.deepEqual(of(play([...on, restored({ match: MATCH }, 2)]))[0], "accepting");
    assert.deepEqual(of(play([restored({ match: MATCH }, 2), acceptance(1)])), ["accepting", null, 1, 2]);
  });

  test("of another match is none of ours", () => {
    const state = play([joined(1), found(2)]);
    assert.equal(reduce(state, { type: "match_acceptance", data: { match_id: "older", accepted: 1, needed: 2 } }), state);
  });
});

test("opponents are those of the other teams, whoever tells of them", () => {
  const cas = { user_id: "cas", display_name: "Cas", rating: 1500, color: null, team: 0 };
  const state = play([restored({ match: { ...MATCH, players: [cas, ...MATCH.players] } })]);
  assert.deepEqual(state.match.opponents, [BEN]);
});

describe("invitations to parties", () => {
  const ids = (messages) => play(messages).invitations.map((each) => each.party_id);

  test("are told newest first, each once, until one is in or the party is over", () => {
    const two = [invitedTo(1), invitedTo(2, { party_id: "p2" })];
    assert.deepEqual(ids([...two, invitedTo(3)]), ["p1", "p2"]);
    assert.deepEqual(ids([...two, changed(3)]), ["p2"]);
    assert.deepEqual(ids([...two, changed(3, { party_id: "p2", status: "DISBANDED", members: [] })]), ["p1"]);
  });

  test("survive a reconnect, and those that were missed are told", () => {
    assert.deepEqual(ids([invitedTo(1), restored({}, 1)]), ["p1"]);
    assert.deepEqual(ids([invitedTo(1), restored({ party: party() }, 2)]), []);
    const missed = [invitedTo(1), invitedTo(2, { party_id: "p2" }), changed(3)];
    assert.deepEqual(ids([restored({ missed, party: party() }, 3)]), ["p2"]);
  });
});

describe("the notice", () => {
  const notice = (state) => state.notice && [state.notice.type, state.notice.reason, state.notice.requeued];

  test("tells the last cancellation until something newer happens", () => {
    const state = play([joined(1), found(2), cancelled(3)]);
    assert.deepEqual(notice(state), ["match_cancelled", "opponent_unreachable", true]);
    assert.equal(reduce(state, ping).notice, null);
    assert.deepEqual(notice(reduce(state, ended(4, "timed_out"))), ["queue_cancelled", "timed_out", false]);
  });

  test("tells what was missed, unless the player has gone on since", () => {
    const missed = [joined(1), ended(2, "connection_timeout")];
    assert.deepEqual(notice(play([restored({ missed }, 2)])), ["queue_cancelled", "connection_timeout", false]);
    assert.equal(play([restored({ missed: [...missed, joined(3)], ticket: TICKET }, 3)]).notice, null);
  });

  test("survives a reconnect that missed nothing", () => {
    assert.deepEqual(notice(play([joined(1), ended(2, "staff"), restored({}, 2)])), ["queue_cancelled", "staff", false]);
  });
});

describe("a session", () => {
  const ADA = { participant_id: "p1", display_name: "Ada", connection_state: "connected" };
  const BEN_THERE = { participant_id: "p2", display_name: "Ben", connection_state: "connected" };
  const snapshot = (more, seq = 0) => ({
    type: "state_restored",
    data: { ...EMPTY_SESSION, participants: [ADA], seq, resumed: false, gap: false, missed: [], ...more },
  });
  const here = (messages) => [snapshot({}), ...messages].reduce(reduce, SESSION);
  const comes = (seq) => event(seq, "participant_joined", { participant_id: "p2", display_name: "Ben" });
  const drops = (seq) =>
    event(seq, "participant_temporarily_disconnected", { participant_id: "p2", grace_seconds: 30 });
  const returns = (seq) => event(seq, "participant_reconnected", { participant_id: "p2" });
  const leaves = (seq, reason) => event(seq, "participant_left", { participant_id: "p2", reason });
  const over = (seq) => event(seq, "game_over", { session_id: "s1", standing: [] });
  const benIs = (connection_state) => [ADA, { ...BEN_THERE, connection_state }];

  const histories = {
    "somebody came": [[comes(1)], { participants: benIs("connected") }],
    "somebody dropped": [[comes(1), drops(2)], { participants: benIs("temporarily_disconnected") }],
    "somebody came back": [[comes(1), drops(2), returns(3)], { participants: benIs("connected") }],
    "somebody came again": [[comes(1), drops(2), comes(3)], { participants: benIs("connected") }],
    "somebody left": [[comes(1), leaves(2, "left")], { participants: benIs("disconnected") }],
    "the end": [
      [comes(1), leaves(2, "left"), over(3)],
      {
        participants: benIs("disconnected"), phase: "finished", leaderboard: [],
        session: { ...EMPTY_SESSION.session, finished_at: "2030-01-01T12:00:13Z" },
      },
    ],
  };
  for (const [name, [events, more]] of Object.entries(histories)) {
    test(`${name}: a snapshot and events give what a fresh snapshot gives`, () => {
      const fresh = reduce(SESSION, snapshot(more, events.length));
      const told = ["away", "left"];
      assert.deepEqual(without(here(events), ...told), without(fresh, ...told));
    });

    test(`${name}: what was missed says the same as what was heard`, () => {
      const missed = reduce(SESSION, snapshot({ ...more, missed: events }, events.length));
      assert.deepEqual(missed, here(events));
    });
  }

  test("it says since when somebody is away, until they are back", () => {
    const since = { p2: { since: "2030-01-01T12:00:12Z", grace_seconds: 30 } };
    assert.deepEqual(here([comes(1), drops(2)]).away, since);
    assert.deepEqual(here([comes(1), drops(2), returns(3)]).away, {});
    assert.deepEqual(here([comes(1), drops(2), leaves(3, "grace_expired")]).away, {});
  });

  test("it says why somebody left", () => {
    assert.deepEqual(here([comes(1), leaves(2, "grace_expired")]).left, { p2: "grace_expired" });
  });
});
