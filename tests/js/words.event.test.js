import assert from "node:assert/strict";
import { test } from "node:test";

import { browserOf, GUIDES, guidesFor } from "../../matchmaking_site/static/event/guide.js";
import * as words from "../../matchmaking_site/static/event/words.js";
import { expiryOf, isToken, nameIn } from "../../matchmaking_site/static/shared/tokens.js";

test("a code is read as it is meant, however it is typed", () => {
  assert.deepEqual(["ab c-2 3d", " XY2Z9K ", "äöü"].map(words.cleanCode), ["ABC23D", "XY2Z9K", ""]);
  assert.deepEqual(["", "ABC", "ABC23D"].map(words.codeFault), [
    "Please type the code.", "A code has 6 letters and digits.", "",
  ]);
});

test("a picture holds a code as an address or alone, and nothing else counts", () => {
  const seen = ["https://quiz.example/join/abc23d", "http://10.0.0.2:8000/join/ABC23D/?from=qr", "abc23d"];
  assert.deepEqual(seen.map(words.codeIn), ["ABC23D", "ABC23D", "ABC23D"]);
  assert.deepEqual(["https://quiz.example/abc23d", "WIFI:S:home;;", "abc23de", ""].map(words.codeIn), [null, null, null, null]);
});

test("a locked event lets those in who were there before, for a minute", () => {
  const say = (locked, age, phase = "lobby") => words.joinNote({ phase, locked }, age);
  assert.deepEqual(say(false, 0), [true, ""]);
  assert.equal(say(true, null)[0], false);
  assert.match(say(true, null)[1], /has locked joining/);
  assert.deepEqual(say(true, 18_500), [
    true, "The host has just locked joining. You were here before: you can still join for 42 s.",
  ]);
  assert.equal(say(true, 60_000)[0], false);
  assert.deepEqual(say(false, 0, "finished"), [false, "This event is over."]);
  assert.deepEqual(["lobby", "leaderboard"].map((phase) => words.phaseWords({ phase })), [
    "It has not begun yet", "Already under way: you can still join",
  ]);
});

test("a refusal is told in words, and whether it is about the name", () => {
  assert.match(words.refusalWords({ code: "name_taken", message: "x" }), /choose another/);
  assert.equal(words.refusalWords({ code: "something", message: "As the server says." }), "As the server says.");
  assert.equal(words.isOfName({ code: "name_taken", status: 409 }), true);
  assert.equal(words.isOfName({ code: "invalid_request", status: 400, errors: { display_name: ["empty"] } }), true);
  assert.equal(words.isOfName({ code: "session_locked", status: 409 }), false);
});

test("what is wrong with a camera is told apart", () => {
  const names = ["NotAllowedError", "SecurityError", "NotFoundError", "NotReadableError", "AbortError"];
  assert.deepEqual(names.map(words.cameraFault), ["denied", "denied", "missing", "busy", "busy"]);
  assert.match(words.scanWords("insecure"), /https/);
});

const UA = {
  "chrome-android": "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36",
  "firefox-android": "Mozilla/5.0 (Android 14; Mobile; rv:127.0) Gecko/127.0 Firefox/127.0",
  "safari-ios": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
  "chrome-ios": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0.6478.35 Mobile/15E148 Safari/604.1",
  "firefox-ios": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/127.0 Mobile/15E148 Safari/605.1.15",
  chrome: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
  firefox: "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
  safari: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
};

test("every browser gets its own guide, and an iPad is no Mac", () => {
  for (const [key, agent] of Object.entries(UA)) assert.equal(browserOf(agent, 0), key);
  assert.equal(browserOf(UA.safari, 5), "safari-ios");
  for (const { key } of GUIDES) {
    const [own, others] = guidesFor(key);
    assert.equal(own.key, key);
    assert.equal(others.length, GUIDES.length - 1);
  }
});

test("people are counted, those who are away apart, and those who have left not", () => {
  const are = (...states) => words.peopleWords(states.map((connection_state) => ({ connection_state })));
  assert.equal(are(), "0 people are here");
  assert.equal(are("connected", "disconnected"), "1 person is here");
  assert.equal(are("connected", "connected", "temporarily_disconnected"), "2 people are here, 1 away");
  assert.deepEqual([0, 3].map(words.moreWords), ["", "and 3 more"]);
});

test("an address to type is short", () => {
  assert.equal(words.shortAddress("https://quiz.example/join/ABC23D"), "quiz.example/join");
});

test("the host's button says what it does next", () => {
  const next = (phase, number) => words.nextWords({ phase, question: number ? { number, of: 3 } : null });
  assert.deepEqual([next("lobby"), next("question", 1), next("leaderboard", 2), next("leaderboard", 3), next("finished")], [
    "Start", "Close the question", "Next question", "Show the result", "",
  ]);
  const people = ["connected", "temporarily_disconnected", "disconnected"].map((connection_state) => ({ connection_state }));
  assert.deepEqual([null, 0, 1, 3].map((count) => words.answeredWords(count, people)), [
    "", "0 of 2 answered", "1 of 2 answered", "3 of 3 answered",
  ]);
});

test("questions are found in a file, and what is wrong with them is told line by line", () => {
  const one = { text: "?", choices: ["a", "b"], answer: 0 };
  assert.deepEqual(words.questionsIn(JSON.stringify([one])), [one]);
  assert.deepEqual(words.questionsIn(JSON.stringify({ title: "x", questions: [one] })), [one]);
  assert.throws(() => words.questionsIn("[{"));
  const errors = { title: ["empty"], questions: ["Question 1: a choice is blank"], "questions[1].text": ["too long"] };
  assert.deepEqual(words.questionFaults(errors), ["Question 1: a choice is blank", "questions[1].text: too long"]);
});

test("a token tells its holder's name and its end to who cannot check it", () => {
  const part = (claims) => Buffer.from(JSON.stringify(claims)).toString("base64url");
  const token = `${part({ alg: "HS256" })}.${part({ sub: "u1", name: "Åsa", exp: 1000 })}.c2ln`;
  assert.deepEqual([isToken(token), nameIn(token), expiryOf(token)], [true, "Åsa", 1_000_000]);
  assert.deepEqual([isToken("not a token"), nameIn("x"), expiryOf("x.y.z")], [false, "", 0]);
  assert.equal(nameIn(`e30.${part({ sub: "u1" })}.c2ln`), "u1");
});
