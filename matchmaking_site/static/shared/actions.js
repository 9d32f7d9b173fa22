/** What somebody does that may be refused: what is on its way, and why the last try was refused. */

export class Actions {
  #changed;
  #words;
  /** @type {Set<string>} */
  #underWay = new Set();
  /** @type {Map<string, string>} */
  #refusals = new Map();

  /**
   * @param {() => void} changed is called when something began or ended
   * @param {(error: any) => string} words for a refusal
   */
  constructor(changed, words) {
    this.#changed = changed;
    this.#words = words;
  }

  /** @param {string} key */
  isUnderWay(key) {
    return this.#underWay.has(key);
  }

  /** Empty where nothing was refused. @param {string} key */
  refusal(key) {
    return this.#refusals.get(key) ?? "";
  }

  /** @param {string} key */
  forget(key) {
    this.#refusals.delete(key);
  }

  /**
   * Do something, unless the same is on its way.
   * @template T
   * @param {string} key of what is done, and to what
   * @param {() => Promise<T>} action
   * @returns {Promise<T | null>} null where it was refused
   */
  async run(key, action) {
    if (this.#underWay.has(key)) return null;
    this.#underWay.add(key);
    this.#refusals.delete(key);
    this.#changed();
    try {
      return await action();
    } catch (error) {
      this.#refusals.set(key, this.#words(error));
      return null;
    } finally {
      this.#underWay.delete(key);
      this.#changed();
    }
  }
}
