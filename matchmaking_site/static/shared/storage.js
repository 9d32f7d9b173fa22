/** What the browser keeps: of this tab, or of all. A browser that keeps nothing is as good as a new one. */

class Kept {
  #storage;

  /** @param {() => Storage} storage */
  constructor(storage) {
    try {
      this.#storage = storage();
    } catch {
      this.#storage = null; // switched off by the user
    }
  }

  /** @param {string} key @returns {any} null where there is nothing */
  get(key) {
    try {
      return JSON.parse(this.#storage?.getItem(key) ?? "null");
    } catch {
      return null;
    }
  }

  /** @param {string} key @param {unknown} value null takes it away */
  set(key, value) {
    try {
      if (value === null) this.#storage?.removeItem(key);
      else this.#storage?.setItem(key, JSON.stringify(value));
    } catch {
      // Full, or not allowed: the page works, and forgets.
    }
  }
}

/** Survives a reload and is copied into a duplicate; every other tab has its own. */
export const ofTab = new Kept(() => globalThis.sessionStorage);
/** Survives the closing of a tab; all tabs share it. */
export const ofBrowser = new Kept(() => globalThis.localStorage);
