/** What a server holds of a user, or of a session, in small. */

import { EMPTY, EMPTY_SESSION } from "./cast.js";

/** A user's stream, and what the user is in after each of its events. */
export class Matchmaking {
  events = [];
  states = [{ ticket: null, match: null }];

  get seq() {
    return this.events.length;
  }

  /** Something that may happen now. */
  happens({ pick }) {
    const seq = this.seq + 1;
    const { ticket, match } = this.states[this.seq];
    const about = { queue_entry_id: ticket, match_id: match ?? `m${seq}` };
    const what = match ? "match_cancelled" : ticket ? pick(["queue_cancelled", "match_found", "match_found"]) : "queue_joined";
    const told = {
      queue_joined: () => [ticketOf(`q${seq}`), { ticket: `q${seq}`, match: null }],
      queue_cancelled: () => [{ ...about, reason: "staff" }, { ticket: null, match: null }],
      match_found: () => [{ ...about, opponents: [] }, { ticket, match: `m${seq}` }],
      match_cancelled: () => [{ ...about, reason: "internal_error", requeued: true, position: 1 }, { ticket, match: null }],
    };
    const [data, state] = told[what]();
    const event = { type: what, id: `id${seq}`, seq, data };
    this.events.push(event);
    this.states.push(state);
    return event;
  }

  snapshot(seq) {
    const { ticket, match } = this.states[seq];
    return { ...EMPTY, ticket: ticket && ticketOf(ticket), match: match && { match_id: match, players: [], status: "PROPOSED" } };
  }

  static known({ ticket, match }) {
    return { ticket: ticket?.queue_entry_id ?? null, match: match?.match_id ?? null };
  }
}

/** A session's stream: the lock goes open and shut. */
export class Session {
  events = [];

  get seq() {
    return this.events.length;
  }

  get states() {
    return [...this.events, null].map((_, seq) => ({ locked: seq % 2 === 1 }));
  }

  happens() {
    const seq = this.seq + 1;
    const event = { type: "lock_changed", id: `id${seq}`, seq, data: { locked: seq % 2 === 1 } };
    this.events.push(event);
    return event;
  }

  snapshot(seq) {
    return { ...EMPTY_SESSION, locked: seq % 2 === 1 };
  }

  static known({ locked }) {
    return { locked };
  }
}

function ticketOf(id) {
  return { queue_entry_id: id, status: "SEARCHING", position: 1, match_id: null };
}
