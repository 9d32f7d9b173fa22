/** The identities that this browser has been, newest first, until their tokens expire. */

import { ofBrowser } from "./storage.js";

const KEY = "identities";
const MAX_KEPT = 8;

/** @typedef {{id: string, access: string, refresh?: string, name: string, deviceId: string, expiresAt: number}} Kept */

/** @param {number} [now] @returns {Kept[]} */
export function keptIdentities(now = Date.now()) {
  return (ofBrowser.get(KEY) ?? []).filter((/** @type {Kept} */ one) => one.expiresAt > now);
}

/** @param {string} id @returns {Kept | null} */
export function keptIdentity(id) {
  return keptIdentities().find((one) => one.id === id) ?? null;
}

/** @param {Kept} kept becomes the newest */
export function keep(kept) {
  const others = keptIdentities().filter((one) => one.id !== kept.id);
  ofBrowser.set(KEY, [kept, ...others].slice(0, MAX_KEPT));
}

/** @param {string} id */
export function drop(id) {
  ofBrowser.set(KEY, keptIdentities().filter((one) => one.id !== id));
}
