import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { followPage } from "../../realtime/static/realtime/page.js";

/** A page and a client that only counts. */
let page;
beforeEach(() => {
  globalThis.document = Object.assign(new EventTarget(), { hidden: false });
  globalThis.window = new EventTarget();
  page = { client: { hidden: null, state: "open", retryAt: null, woken: 0, probed: 0, wake: () => page.client.woken++, probe: () => page.client.probed++ } };
});
afterEach(() => {
  delete globalThis.document;
  delete globalThis.window;
});
const on = (target, type) => target.dispatchEvent(new Event(type));

test("a page that is seen again, shown again, or online again wakes its client", () => {
  followPage(page.client);
  document.hidden = true;
  on(document, "visibilitychange");
  assert.deepEqual([page.client.hidden, page.client.woken], [true, 0]);
  document.hidden = false;
  on(document, "visibilitychange");
  assert.deepEqual([page.client.hidden, page.client.woken], [false, 1]);
  on(window, "pageshow");
  on(window, "online");
  assert.equal(page.client.woken, 3);
});

test("a lost network does not wake a client, it asks whether the connection lives", () => {
  followPage(page.client);
  on(window, "offline");
  assert.deepEqual([page.client.woken, page.client.probed], [0, 1]);
});

test("a touch wakes an idle client, and no other", () => {
  followPage(page.client);
  for (const [state, retryAt, expected] of [["open", null, 0], ["connecting", null, 0], ["closed", 1000, 0], ["closed", null, 3]]) {
    Object.assign(page.client, { state, retryAt, woken: 0 });
    for (const type of ["pointerdown", "keydown", "focus"]) on(window, type);
    assert.equal(page.client.woken, expected, `${state}, ${retryAt}`);
  }
});

test("a page that is not followed any more changes nothing", () => {
  followPage(page.client)();
  for (const type of ["pageshow", "online", "offline"]) on(window, type);
  on(document, "visibilitychange");
  assert.deepEqual([page.client.woken, page.client.probed], [0, 0]);
});
