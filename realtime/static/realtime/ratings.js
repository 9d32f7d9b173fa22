/** Ratings over REST. Every function is rejected with a `Problem`, and takes `origin` where there is no page. */

import { call } from "./rest.js";

/** @import { As, Page, Rating, RatingPoint } from "./types.js" */

/** One's rating in each pool. @param {As} as @returns {Promise<Page<Rating>>} */
export function ratings(as) {
  return call("GET", "/v1/matchmaking/ratings", as);
}

/**
 * What matches did to one's rating in a pool, newest first.
 * @param {string} poolKey
 * @param {As} as
 * @returns {Promise<Page<RatingPoint>>} code: `pool_not_found`
 */
export function ratingHistory(poolKey, as) {
  return call("GET", `/v1/matchmaking/ratings/${encodeURIComponent(poolKey)}/history`, as);
}
