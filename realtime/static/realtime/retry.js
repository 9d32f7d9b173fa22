/** When to come back, as functions of what happened. Nothing here reads a clock. */

/** @import { RetryPolicy } from "./types.js" */

/**
 * After 1, 2 and 4 s; then only when the network, the page or the user comes back.
 * @type {RetryPolicy}
 */
export function matchmakingRetry(tries) {
  return tries <= 3 ? 1000 * 2 ** (tries - 1) : null;
}

/**
 * After 1, 2, 4, 8, 16, then every 30 s, without end.
 * @type {RetryPolicy}
 */
export function sessionRetry(tries) {
  return Math.min(1000 * 2 ** (tries - 1), 30_000);
}

/**
 * Does this closing code tell the client to stay away?
 * @param {number} code
 */
export function staysAway(code) {
  return code >= 4500 && code <= 4999;
}

/**
 * Is it settled that there is no token to be had? A refusal of the server's (4xx) will be the same next time, a
 * failure will not.
 * @param {any} error
 */
export function isRefusal(error) {
  const status = Number(error?.status);
  return status >= 400 && status < 500 && !MAY_PASS.has(status);
}

/** Time-out, too early, too many requests. */
const MAY_PASS = new Set([408, 425, 429]);
