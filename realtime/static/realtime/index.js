/** All of the client in one import. */

export * from "./challenges.js";
export { CommandError } from "./commands.js";
export { makeDeviceId } from "./device.js";
export * from "./events.js";
export { MatchmakingClient } from "./matchmaking.js";
export { followPage } from "./page.js";
export * from "./parties.js";
export { CLOSE_CODES } from "./protocol.js";
export * from "./ratings.js";
export { call, Problem, signInAsGuest, tokenKeeper } from "./rest.js";
export { SessionClient } from "./session.js";
export { matchmakingClient, sessionClient } from "./sockets.js";
export { MATCHMAKING, reduce, SESSION } from "./state.js";

/** @typedef {import("./types.js").Message} Message */
/** @typedef {import("./types.js").MatchmakingMessage} MatchmakingMessage */
/** @typedef {import("./types.js").SessionMessage} SessionMessage */
/** @typedef {import("./types.js").MatchmakingState} MatchmakingState */
/** @typedef {import("./types.js").SessionState} SessionState */
