/**
 * Which identities other living tabs of this browser use.
 *
 * A tab that looks for one asks, and whoever lives answers with its own. Tabs that look at the same time agree on
 * an order by the numbers that they have drawn, so that no two take the same.
 */

const ANSWERS_MS = 150;

export class Tabs {
  #channel = globalThis.BroadcastChannel ? new BroadcastChannel("identities") : null;
  #tab = Math.random();
  #using = /** @type {string | null} */ (null);
  #isLooking = false;
  #used = /** @type {Set<string>} */ (new Set());
  #lookers = /** @type {Set<number>} */ (new Set());

  constructor() {
    this.#channel?.addEventListener("message", ({ data }) => this.#hear(data));
  }

  /** This tab is somebody from now on, or nobody. @param {string | null} id */
  use(id) {
    this.#using = id;
    this.#say();
  }

  /**
   * @param {string[]} ids in the order in which they are wanted
   * @returns {Promise<string | null>} the first one that no living tab uses
   */
  async firstFree(ids) {
    this.#isLooking = true;
    this.#say();
    await new Promise((resolve) => setTimeout(resolve, ANSWERS_MS));
    this.#isLooking = false;
    const before = [...this.#lookers].filter((tab) => tab < this.#tab).length;
    const free = ids.filter((id) => !this.#used.has(id))[before] ?? null;
    this.use(free);
    return free;
  }

  #say() {
    this.#channel?.postMessage({ tab: this.#tab, using: this.#using, isLooking: this.#isLooking });
  }

  /** @param {{tab: number, using: string | null, isLooking: boolean}} other */
  #hear({ tab, using, isLooking }) {
    if (using) this.#used.add(using);
    const isNew = isLooking && !this.#lookers.has(tab);
    if (isLooking) this.#lookers.add(tab);
    else this.#lookers.delete(tab);
    if (isNew && (this.#using || this.#isLooking)) this.#say();
  }
}
