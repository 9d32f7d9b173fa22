import assert from "node:assert/strict";
import { test } from "node:test";

import { isRefusal, matchmakingRetry, sessionRetry, staysAway } from "../../realtime/static/realtime/retry.js";

const delays = (policy, count) => Array.from({ length: count }, (_, index) => policy(index + 1));

test("matchmaking comes back after 1, 2 and 4 s, then not by itself", () => {
  assert.deepEqual(delays(matchmakingRetry, 6), [1000, 2000, 4000, null, null, null]);
});

test("a session comes back for ever, after 30 s at most", () => {
  assert.deepEqual(delays(sessionRetry, 8), [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  assert.equal(sessionRetry(1000), 30_000);
});

test("closing codes from 4500 to 4999 say to stay away", () => {
  const away = [0, 1000, 1001, 1006, 1009, 4000, 4001, 4499, 4500, 4510, 4999, 5000].filter(staysAway);
  assert.deepEqual(away, [4500, 4510, 4999]);
});

test("a refusal is final, a failure and a time-out are not", () => {
  const final = [0, 400, 401, 403, 404, 408, 409, 425, 429, 499, 500, 503].filter((status) => isRefusal({ status }));
  assert.deepEqual(final, [400, 401, 403, 404, 409, 499]);
  assert.deepEqual([undefined, null, new Error("no network"), "no"].map(isRefusal), [false, false, false, false]);
});
