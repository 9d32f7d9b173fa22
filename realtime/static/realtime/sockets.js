/** The two sockets of the service, each with its address and its way of coming back. */

import { MatchmakingClient } from "./matchmaking.js";
import { SessionClient } from "./session.js";

/**
 * Queue, matches and announcements of the signed-in user.
 * @param {import("./matchmaking.js").MatchmakingOptions} options
 */
export function matchmakingClient(options) {
  return new MatchmakingClient(options);
}

/**
 * One game session.
 * @param {import("./session.js").SessionOptions} options
 */
export function sessionClient(options) {
  return new SessionClient(options);
}
