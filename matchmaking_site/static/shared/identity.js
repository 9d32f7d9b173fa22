/**
 * Who this tab is. A reload and a duplicate stay the same; a tab that was closed and opened again takes up an
 * identity that no other living tab uses; two windows side by side are two players.
 */

import { makeDeviceId } from "../realtime/device.js";
import { ask, call, Problem } from "../realtime/rest.js";
import { drop, keep, keptIdentities, keptIdentity } from "./identities.js";
import { ofTab } from "./storage.js";
import { Tabs } from "./tabs.js";
import { expiryOf, nameIn } from "./tokens.js";

const KEY = "identity";
const SEQ_KEY = "last_seq";
const UNKNOWN_LIFE_MS = 7 * 24 * 3600 * 1000;

export class Identity {
  /** @type {import("./identities.js").Kept | null} */
  #kept = null;
  #tabs = new Tabs();

  get isKnown() {
    return this.#kept !== null;
  }

  get id() {
    return this.#kept?.id ?? "";
  }

  get name() {
    return this.#kept?.name ?? "";
  }

  /** A secret by which a game session knows this player's device again. */
  get deviceId() {
    return this.#kept?.deviceId ?? "";
  }

  /** @returns {number | null} */
  get lastSeq() {
    return ofTab.get(SEQ_KEY);
  }

  set lastSeq(seq) {
    if (seq !== null) ofTab.set(SEQ_KEY, seq);
  }

  /**
   * Find out who this tab was. It asks other tabs only where there is a choice.
   * @param {string} [wanted] the id of the identity that it has to be, if it is still there
   */
  async restore(wanted) {
    const own = (wanted && keptIdentity(wanted)) || this.#ofThisTab() || (await this.#free());
    if (own) this.#become(own);
  }

  /** @param {{access: string, refresh?: string, name?: string}} tokens */
  take({ access, refresh, name = nameIn(access) }) {
    ofTab.set(SEQ_KEY, null);
    this.#become({ id: makeDeviceId(), access, refresh, name, deviceId: makeDeviceId(), expiresAt: lifeOf(access, refresh) });
  }

  forget() {
    if (this.#kept) drop(this.#kept.id);
    this.#kept = null;
    this.#tabs.use(null);
    ofTab.set(KEY, null);
    ofTab.set(SEQ_KEY, null);
  }

  /** @returns {Promise<string>} rejected with a `Problem` when there is no other token to be had */
  async token({ fresh = false } = {}) {
    if (fresh) await this.#renew();
    return this.#kept?.access ?? "";
  }

  /** Call a route as this player, with a new token where the old one has expired. */
  async call(method, path, body) {
    return (await this.ask(method, path, body)).json();
  }

  /** The same, for an answer that is no JSON. @returns {Promise<Response>} */
  async ask(method, path, body) {
    try {
      return await ask(method, path, { token: await this.token(), body });
    } catch (error) {
      if (error.status !== 401) throw error;
      return ask(method, path, { token: await this.token({ fresh: true }), body });
    }
  }

  /** What this tab keeps, or the newer tokens of it that another tab has got since. */
  #ofThisTab() {
    const kept = ofTab.get(KEY);
    return kept && (keptIdentity(kept.id) ?? kept);
  }

  async #free() {
    const ids = keptIdentities().map((one) => one.id);
    const id = ids.length ? await this.#tabs.firstFree(ids) : null;
    return id && keptIdentity(id);
  }

  async #renew() {
    const kept = this.#kept;
    if (!kept?.refresh) throw new Problem(401, { code: "unauthorized", detail: "Your sign-in has expired." });
    const newer = keptIdentity(kept.id);
    if (newer && newer.access !== kept.access) return this.#become(newer);
    const { access, refresh = kept.refresh } = await call("POST", "/v1/auth/token/refresh", { body: { refresh: kept.refresh } });
    if (this.#kept?.id === kept.id) this.#become({ ...kept, access, refresh, expiresAt: lifeOf(access, refresh) });
  }

  #become(kept) {
    this.#kept = kept;
    ofTab.set(KEY, kept);
    keep(kept);
    this.#tabs.use(kept.id);
  }
}

/** @param {string} access @param {string | undefined} refresh */
function lifeOf(access, refresh) {
  return expiryOf(refresh ?? access) || Date.now() + UNKNOWN_LIFE_MS;
}
