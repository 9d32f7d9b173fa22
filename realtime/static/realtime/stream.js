/** How long a snapshot that was asked for may take before it is asked for again. */
const SNAPSHOT_MS = 5_000;

/** A client's place in a stream of durable messages, whose `seq` counts up by one. */
export class Stream {
  /** The newest `seq` that is held; null before the first snapshot. @type {number | null} */
  lastSeq;
  /** The newest one that this connection has heard of. */
  #newest = 0;
  #askedAt = -Infinity;

  /** @param {number | null} lastSeq of an earlier connection */
  constructor(lastSeq = null) {
    this.lastSeq = lastSeq;
  }

  /** A new connection tells anew what is newest; a server may have been set back. */
  reconnect() {
    this.#newest = 0;
    this.#askedAt = -Infinity;
  }

  /** A snapshot holds all up to `seq`. @param {number} seq */
  restore(seq) {
    this.lastSeq = seq;
    this.#askedAt = -Infinity;
  }

  /** Somebody said that `seq` exists. @param {number} seq */
  hearOf(seq) {
    this.#newest = Math.max(this.#newest, seq);
  }

  /** Take a message in; false when it is known already, or when one before it is missing. @param {number} seq */
  take(seq) {
    this.hearOf(seq);
    if (this.lastSeq === null || seq !== this.lastSeq + 1) return false;
    this.lastSeq = seq;
    return true;
  }

  /** The server was asked for a snapshot. @param {number} now */
  asked(now) {
    this.#askedAt = now;
  }

  /** Is something missing that has not been asked for? @param {number} now */
  isToBeAsked(now) {
    return this.#newest > (this.lastSeq ?? Infinity) && now - this.#askedAt >= SNAPSHOT_MS;
  }
}
