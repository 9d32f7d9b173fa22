/** A game session as this page is in it: its socket, its state, the answer on its way, and how it ended. */

import { followPage } from "../realtime/page.js";
import { CLOSE_CODES } from "../realtime/protocol.js";
import { isRefusal } from "../realtime/retry.js";
import { sessionClient } from "../realtime/sockets.js";

/**
 * How a session ended for this page: it is over, they left, they are not in it any more for either reason,
 * it is not there or not theirs, or their sign-in is not valid any more.
 * @typedef {"finished" | "left" | "out" | "gone" | "signed_out"} Ending
 */

/**
 * Closing codes after which there is no way back into the room.
 * @type {Map<number, Ending>}
 */
const ENDINGS = new Map([
  [CLOSE_CODES.LEFT, "out"],
  [CLOSE_CODES.NO_SUCH_SESSION, "gone"],
  [CLOSE_CODES.NOT_ALLOWED, "gone"],
]);

/** Refusals after which an answer is sent once more, as soon as there is a connection again. */
const LOST = new Set(["connection_lost", "no_answer"]);

const TOO_LATE = "Your answer came too late.";

/** Who is in the room: an `Identity` or a `Place`. @typedef {{deviceId: string, token: Function, call: Function}} Who */

/** Events: `change`, and `end` once. */
export class Room extends EventTarget {
  /** @type {Ending | null} */
  ending = null;
  /** The answer that the server has not confirmed yet. @type {{question_id: string, choice: number} | null} */
  pending = null;
  /** Why the last answer does not count. */
  refusal = "";
  /** The newest leaderboard that was seen. @type {any[]} */
  board = [];
  #who;
  #graceSeconds;
  #lostAt = /** @type {number | null} */ (null);
  #isRenewing = false;
  #asked = "";
  #unfollow;
  #isLeaving = false;

  /**
   * @param {string} sessionId
   * @param {Who} who
   * @param {{graceSeconds: number, fromStart?: boolean}} options `fromStart`: be told all that is still kept, for
   *   who is away since when is told by events alone, and a reload has forgotten them
   */
  constructor(sessionId, who, { graceSeconds, fromStart = false }) {
    super();
    this.sessionId = sessionId;
    this.#who = who;
    this.#graceSeconds = graceSeconds;
    this.client = sessionClient({
      origin: location.origin,
      sessionId,
      deviceId: who.deviceId,
      lastSeq: fromStart ? 0 : null,
      getToken: (wish) => who.token(wish),
    });
    this.client.addEventListener("message", ({ detail }) => this.#hear(detail));
    this.client.addEventListener("state", () => this.#follow());
    this.#unfollow = followPage(this.client);
  }

  /** What the server has told so far. */
  get state() {
    return this.client.known;
  }

  open() {
    this.client.connect();
  }

  /** Leave for good. @returns {Promise<void>} rejected with a `Problem` */
  async leave() {
    this.#isLeaving = true;
    try {
      await this.#who.call("POST", `/v1/sessions/${this.sessionId}/leave`);
      this.#end("left");
    } finally {
      this.#isLeaving = false;
    }
  }

  close() {
    this.#unfollow();
    this.client.close();
  }

  /** @param {string} displayName @returns {Promise<unknown>} rejected with a `CommandError` */
  rename(displayName) {
    return this.client.rename(displayName);
  }

  /** One's own answer to the question that is shown, null where there is none. */
  get ownAnswer() {
    const id = this.state.question?.question_id;
    return (this.state.answers ?? []).find((/** @type {any} */ one) => one.question_id === id) ?? null;
  }

  get canAnswer() {
    const { phase, participant_id: id } = this.state;
    return phase === "question" && Boolean(id) && !this.pending && !this.ownAnswer && this.questionMsLeft() > 0;
  }

  /** @param {number} choice */
  answer(choice) {
    if (!this.canAnswer) return;
    this.pending = { question_id: this.state.question.question_id, choice };
    this.refusal = "";
    this.#changed();
    this.#sendAnswer();
  }

  questionMsLeft() {
    const { phase, question } = this.state;
    return phase === "question" ? this.msUntil(question?.deadline) : 0;
  }

  /** @param {string | null | undefined} time by the server's clock; 0 where it is past or unknown */
  msUntil(time) {
    return time ? Math.max(0, Date.parse(time) - this.client.serverNow()) : 0;
  }

  /** Whole seconds that somebody away has to come back, null where unknown. @param {string} participantId */
  secondsLeft(participantId) {
    const absence = this.state.away[participantId];
    if (!absence) return null;
    const end = Date.parse(absence.since) + absence.grace_seconds * 1000;
    return Math.max(0, Math.ceil((end - this.client.serverNow()) / 1000));
  }

  /** Whole seconds that one's own place is kept for at least, null while there is nothing to fear. */
  graceLeft() {
    if (this.#lostAt === null || !this.state.participant_id) return null;
    return Math.max(0, Math.ceil((this.#lostAt - Date.now()) / 1000 + this.#graceSeconds));
  }

  /** A name of the other one, or of all others. */
  get others() {
    return this.state.participants.filter((one) => one.participant_id !== this.state.participant_id);
  }

  // --- what the server says

  #hear(message) {
    const asked = this.state.question?.question_id ?? "";
    if (asked !== this.#asked) this.refusal = "";
    this.#asked = asked;
    if (message.type === "answer_result" || this.ownAnswer || this.pending?.question_id !== asked) this.pending = null;
    if (message.type === "answer_result" && !message.data.accepted && !this.ownAnswer) this.refusal = TOO_LATE;
    this.board = this.state.leaderboard ?? boardIn(message) ?? this.board;
    if (this.state.phase === "finished") this.#end("finished");
    else this.#changed();
  }

  async #sendAnswer() {
    const sent = this.pending;
    try {
      await this.client.answer(sent.question_id, sent.choice);
    } catch (error) {
      if (this.pending !== sent) return;
      // No answer on a connection that lives: the same once more, which counts once.
      if (error.code === "no_answer" && this.client.state === "open") return void this.#sendAnswer();
      if (LOST.has(error.code)) return;
      this.pending = null;
      this.refusal = error.message;
      this.#changed();
    }
  }

  #follow() {
    const { client } = this;
    if (client.state === "open") this.#arrive();
    else this.#lostAt ??= this.state.restored ? Date.now() : null;
    if (client.state === "closed") this.#followClosing();
    this.#changed();
  }

  /** A token that is refused is renewed once; where there is no other one to be had, that was it. */
  #followClosing() {
    const { closeCode, tokenError } = this.client;
    const ending = ENDINGS.get(closeCode);
    if (ending) return this.#end(this.#isLeaving ? "left" : ending);
    const isRefused = closeCode === CLOSE_CODES.NOT_AUTHENTICATED;
    if (isRefusal(tokenError) || (isRefused && this.#isRenewing)) return this.#end("signed_out");
    if (!isRefused) return undefined;
    this.#isRenewing = true;
    return this.client.connect();
  }

  /** Sending the same answer twice does no harm, and losing it would. */
  #arrive() {
    this.#lostAt = null;
    this.#isRenewing = false;
    queueMicrotask(() => this.pending && this.#sendAnswer());
  }

  #changed() {
    if (!this.ending) this.dispatchEvent(new Event("change"));
  }

  /** @param {Ending} ending */
  #end(ending) {
    if (this.ending) return;
    this.ending = ending;
    this.#lostAt = null;
    this.close();
    this.dispatchEvent(new Event("end"));
  }
}

/** The last leaderboard among what a snapshot says was missed. @param {any} message @returns {any[] | undefined} */
function boardIn({ type, data }) {
  if (type !== "state_restored") return undefined;
  return data.missed.findLast((/** @type {any} */ one) => one.data.state?.leaderboard)?.data.state.leaderboard;
}
