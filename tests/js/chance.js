/** Chance from a seed, and time that a test moves. */

/** Mulberry32. @param {number} seed */
export function chance(seed) {
  let state = seed;
  const random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (count) => Math.floor(random() * count);
  return { random, below, pick: (list) => list[below(list.length)], happens: (share) => random() < share };
}

/** Instead of the platform's timers; it knows which ones are pending. */
export class Clock {
  now = Date.parse("2030-01-01T12:00:00Z");
  #timers = new Map();
  #count = 0;
  #kept = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout, now: Date.now };

  start() {
    globalThis.setTimeout = (run, ms = 0) => {
      this.#timers.set(++this.#count, { run, at: this.now + ms });
      return this.#count;
    };
    globalThis.clearTimeout = (id) => this.#timers.delete(id);
    Date.now = () => this.now;
    return this;
  }

  stop() {
    const { now, ...timers } = this.#kept;
    Object.assign(globalThis, timers);
    Date.now = now;
  }

  get pending() {
    return this.#timers.size;
  }

  /** Run what is due until then, one after the other, and what it has promised. @param {number} ms */
  async passes(ms) {
    const end = this.now + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.now = due[1].at;
      due[1].run();
      await settled();
    }
    this.now = end;
  }
}

/** Let what has been promised happen. */
export function settled() {
  return new Promise((resolve) => setImmediate(resolve));
}
