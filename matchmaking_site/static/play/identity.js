/**
 * Who plays in this tab. It is kept in sessionStorage: it survives a reload, and two tabs of one browser are
 * two players.
 */

import { call, Problem } from "./api.js";

const KEY = "play.identity";
const SEQ_KEY = "play.last_seq";
const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** Is this the form of a JWT? @param {string} text */
export function isToken(text) {
  return TOKEN.test(text);
}

export class Identity {
  /** @type {{access: string, refresh?: string, name: string, deviceId: string} | null} */
  #kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null");

  get isKnown() {
    return this.#kept !== null;
  }

  get name() {
    return this.#kept?.name ?? "";
  }

  /** A secret of this tab, by which a game session knows it again. */
  get deviceId() {
    return this.#kept?.deviceId ?? "";
  }

  /** @returns {number | null} */
  get lastSeq() {
    const kept = sessionStorage.getItem(SEQ_KEY);
    return kept === null ? null : Number(kept);
  }

  set lastSeq(seq) {
    if (seq !== null) sessionStorage.setItem(SEQ_KEY, String(seq));
  }

  /** @param {{access: string, refresh?: string, name?: string}} tokens */
  take({ access, refresh, name = nameIn(access) }) {
    this.#keep({ access, refresh, name, deviceId: crypto.randomUUID?.() ?? randomId() });
  }

  forget() {
    this.#kept = null;
    sessionStorage.removeItem(KEY);
    sessionStorage.removeItem(SEQ_KEY);
  }

  /** @returns {Promise<string>} rejected with a `Problem` when there is no other token to be had */
  async token({ fresh = false } = {}) {
    if (fresh) await this.#renew();
    return this.#kept?.access ?? "";
  }

  /** Call a route as this player, with a new token where the old one has expired. */
  async call(method, path, body) {
    try {
      return await call(method, path, { token: await this.token(), body });
    } catch (error) {
      if (error.status !== 401) throw error;
      return call(method, path, { token: await this.token({ fresh: true }), body });
    }
  }

  async #renew() {
    const refresh = this.#kept?.refresh;
    if (!refresh) throw new Problem(401, { code: "unauthorized", detail: "Your sign-in has expired." });
    const tokens = await call("POST", "/v1/auth/token/refresh", { body: { refresh } });
    if (this.#kept) this.#keep({ ...this.#kept, ...tokens });
  }

  #keep(kept) {
    this.#kept = kept;
    sessionStorage.setItem(KEY, JSON.stringify(kept));
  }
}

/** `crypto.randomUUID` exists in secure contexts alone, and a server in a local network may have no TLS. */
function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The name in a token's claims; the server alone can say whether they are true. @param {string} token */
function nameIn(token) {
  try {
    const part = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(part), (character) => character.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    return String(claims.name ?? claims.sub ?? "");
  } catch {
    return "";
  }
}
