import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import * as client from "../../realtime/static/realtime/index.js";
import { FakeSocket } from "./cast.js";
import { settled } from "./chance.js";

const origin = "https://play.example";
const realFetch = globalThis.fetch;
afterEach(() => (globalThis.fetch = realFetch));

/** The server answers so, and what it was asked is kept. */
function serverAnswers(body, status = 200) {
  const asked = [];
  globalThis.fetch = async (url, { method, headers, body: sent }) => {
    asked.push({ url: String(url), method, token: headers.Authorization, type: headers["Content-Type"], body: sent });
    return new Response(typeof body === "string" ? body : JSON.stringify(body), { status });
  };
  return asked;
}

test("a call carries token and body, and returns the answer", async () => {
  const asked = serverAnswers({ ok: 1 });
  assert.deepEqual(await client.call("POST", "/v1/x", { origin, token: "t", body: { a: 1 } }), { ok: 1 });
  const sent = { url: `${origin}/v1/x`, method: "POST", token: "Bearer t", type: "application/json", body: '{"a":1}' };
  assert.deepEqual(asked, [sent]);
});

test("a refusal is a Problem with the server's words", async () => {
  serverAnswers({ code: "name_taken", detail: "Somebody has this name", errors: { display_name: ["taken"] } }, 409);
  await assert.rejects(client.call("GET", "/v1/x", { origin }), (error) => {
    assert.ok(error instanceof client.Problem);
    assert.deepEqual([error.status, error.code, error.message], [409, "name_taken", "Somebody has this name"]);
    assert.deepEqual(error.errors, { display_name: ["taken"] });
    return true;
  });
  serverAnswers("<h1>Bad gateway</h1>", 502);
  await assert.rejects(client.call("GET", "/v1/x", { origin }), { status: 502, code: "", message: "The server answered 502." });
});

test("no server, and no origin, are said", async () => {
  globalThis.fetch = () => Promise.reject(new TypeError("failed"));
  await assert.rejects(client.call("GET", "/v1/x", { origin }), { status: 0, code: "unreachable" });
  await assert.rejects(client.call("GET", "/v1/x"), TypeError);
});

test("every function of an event has its route", async () => {
  const as = { origin, token: "t" };
  const wish = { join_code: "abc234", display_name: "Ada", device_id: "d" };
  const routes = [
    [() => client.eventByCode(" abc234 ", { origin }), "GET /v1/sessions/by-code/abc234"],
    [() => client.joinEvent(wish, { origin }), "POST /v1/sessions/join", wish],
    [() => client.readSession("s1", as), "GET /v1/sessions/s1"],
    [() => client.leaveSession("s1", as), "POST /v1/sessions/s1/leave"],
    [() => client.renameInSession("s1", "Ada", as), "PATCH /v1/sessions/s1/participants/me", { display_name: "Ada" }],
    [() => client.qrPicture("s1", as), "GET /v1/sessions/s1/qr.svg"],
    [() => client.questionSets(as), "GET /v1/sessions/question-sets"],
    [() => client.createEvent({ title: "Quiz" }, as), "POST /v1/sessions", { title: "Quiz" }],
    [() => client.lockEvent("s1", true, as), "POST /v1/sessions/s1/lock"],
    [() => client.lockEvent("s1", false, as), "POST /v1/sessions/s1/unlock"],
    [() => client.nextPhase("s1", { phase: "lobby", number: 0 }, as), "POST /v1/sessions/s1/next", { phase: "lobby", number: 0 }],
    [() => client.nextPhase("s1", undefined, as), "POST /v1/sessions/s1/next"],
    [() => client.finishEvent("s1", as), "POST /v1/sessions/s1/finish"],
  ];
  await expectRoutes(routes);
});

async function expectRoutes(routes) {
  for (const [ask, route, body] of routes) {
    const asked = serverAnswers({});
    await ask();
    const [{ url, method, token, body: sent }] = asked;
    assert.deepEqual([url.replace(origin, `${method} `), sent], [route, body && JSON.stringify(body)]);
    assert.ok(token === "Bearer t" || /sessions\/(by-code|join)/.test(route));
  }
}

test("every function of challenges, ratings and parties has its route", async () => {
  const as = { origin, token: "t" };
  const [challenges, parties] = ["/v1/matchmaking/challenges", "/v1/matchmaking/parties"];
  await expectRoutes([
    [() => client.createChallenge({ opponent_id: "ben" }, as), `POST ${challenges}`, { opponent_id: "ben" }],
    [() => client.acceptChallenge("c1", as), `POST ${challenges}/c1/accept`],
    [() => client.declineChallenge("c1", as), `POST ${challenges}/c1/decline`],
    [() => client.cancelChallenge("c1", as), `POST ${challenges}/c1/cancel`],
    [() => client.readChallenge("c/1", as), `GET ${challenges}/c%2F1`],
    [() => client.incomingChallenges(as), `GET ${challenges}/incoming`],
    [() => client.outgoingChallenges(as), `GET ${challenges}/outgoing`],
    [() => client.askForRematch("m1", as), "POST /v1/matchmaking/matches/m1/rematch"],
    [() => client.ratings(as), "GET /v1/matchmaking/ratings"],
    [() => client.ratingHistory("duel", as), "GET /v1/matchmaking/ratings/duel/history"],
    [() => client.createParty(as), `POST ${parties}`],
    [() => client.readParty("p1", as), `GET ${parties}/p1`],
    [() => client.inviteToParty("p1", "ben", as), `POST ${parties}/p1/invite`, { user_id: "ben" }],
    [() => client.kickFromParty("p1", "ben", as), `POST ${parties}/p1/kick`, { user_id: "ben" }],
    [() => client.joinParty("p1", as), `POST ${parties}/p1/join`],
    [() => client.leaveParty("p1", as), `POST ${parties}/p1/leave`],
  ]);
});

test("a picture is sent as it is", async () => {
  const asked = serverAnswers({ join_code: null });
  const jpeg = new Blob(["x"], { type: "image/jpeg" });
  assert.deepEqual(await client.scanPicture(jpeg, { origin }), { join_code: null });
  assert.deepEqual([asked[0].type, asked[0].body], ["image/jpeg", jpeg]);
});

test("who enters an event is given its client, and joins again where the token has expired", async () => {
  FakeSocket.made = [];
  const asked = serverAnswers({ participant_id: "p1", session_id: "s1", display_name: "Ada", token: "t" });
  const wish = { join_code: "ABC234", display_name: "Ada", device_id: "d".repeat(32) };
  const session = await client.enterEvent(wish, { origin, WebSocket: FakeSocket });
  session.connect();
  await settled();
  assert.equal(FakeSocket.newest.url, `wss://play.example/ws/sessions/s1/?device_id=${wish.device_id}`);
  assert.deepEqual([FakeSocket.newest.protocols[1], asked.length], ["bearer.t", 1]);
  FakeSocket.newest.ends(4001);
  session.wake();
  await settled();
  await settled();
  assert.deepEqual([asked.length, FakeSocket.made.length], [2, 2]);
  assert.deepEqual(JSON.parse(asked[1].body), wish);
  session.close();
});

test("a keeper of tokens renews them when asked for a fresh one", async () => {
  const getToken = client.tokenKeeper({ access: "old", refresh: "r" }, { origin });
  assert.equal(await getToken({ fresh: false }), "old");
  const asked = serverAnswers({ access: "new" });
  assert.equal(await getToken({ fresh: true }), "new");
  assert.equal(await getToken({ fresh: false }), "new");
  assert.deepEqual(asked.map(({ url, body }) => [url, body]), [[`${origin}/v1/auth/token/refresh`, '{"refresh":"r"}']]);
});

test("a device's secret is 32 hex digits, another one each time", () => {
  const made = new Set(Array.from({ length: 100 }, client.makeDeviceId));
  assert.equal(made.size, 100);
  for (const one of made) assert.match(one, /^[0-9a-f]{32}$/);
});

test("a token that is over by its own clock is renewed without being asked, and one without an exp is left alone", async () => {
  const claims = (exp) => `h.${btoa(JSON.stringify({ sub: "ada", exp }))}.s`;
  const now = Math.floor(Date.now() / 1000);
  for (const [access, wanted] of [[claims(now - 10), "new"], [claims(now + 3600), null], ["x.y.z", null]]) {
    const asked = serverAnswers({ access: "new" });
    const getToken = client.tokenKeeper({ access, refresh: "r" }, { origin });
    assert.equal(await getToken({ fresh: false }), wanted ?? access);
    assert.equal(asked.length, wanted ? 1 : 0);
  }
});
