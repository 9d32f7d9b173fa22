/** The events that this browser has made lately, so that a host who comes back finds them. */

import { ofBrowser } from "../shared/storage.js";

const KEY = "events";
const MAX_KEPT = 10;
const LIFE_MS = 14 * 24 * 3600 * 1000;

/** @typedef {{session_id: string, title: string, join_code: string, identity: string, made_at: number}} KeptEvent */

/** @param {number} [now] @returns {KeptEvent[]} newest first */
export function keptEvents(now = Date.now()) {
  return (ofBrowser.get(KEY) ?? []).filter((/** @type {KeptEvent} */ one) => now - one.made_at < LIFE_MS);
}

/** @param {KeptEvent} made */
export function keepEvent(made) {
  const others = keptEvents().filter((one) => one.session_id !== made.session_id);
  ofBrowser.set(KEY, [made, ...others].slice(0, MAX_KEPT));
}
