/** The two sockets of the service, each with its address and its way of coming back. */

import { SocketClient } from "./client.js";
import { matchmakingRetry, sessionRetry } from "./retry.js";

/** @typedef {Omit<import("./types.js").Options, "url" | "retry"> & {origin: string}} Options */

/**
 * Queue, matches, challenges and announcements of the signed-in user.
 * @param {Options} options
 */
export function matchmakingClient({ origin, ...options }) {
  return new SocketClient({ ...options, url: socketUrl(origin, "/ws/matchmaking/").href, retry: matchmakingRetry });
}

/**
 * One game session. `deviceId` is a secret of the device, 16 to 64 characters made at random.
 * @param {Options & {sessionId: string, deviceId: string}} options
 */
export function sessionClient({ origin, sessionId, deviceId, ...options }) {
  const url = socketUrl(origin, `/ws/sessions/${encodeURIComponent(sessionId)}/`);
  url.searchParams.set("device_id", deviceId);
  return new SocketClient({ ...options, url: url.href, retry: sessionRetry });
}

/** @param {string} origin such as `https://example.org` @param {string} path */
function socketUrl(origin, path) {
  const url = new URL(path, origin);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url;
}
