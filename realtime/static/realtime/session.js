/** The client of `/ws/sessions/{id}/`: one game session, a duel's or an event's. */

import { SocketClient } from "./client.js";
import { sessionRetry } from "./retry.js";
import { reduce, SESSION } from "./state.js";
import { socketUrl } from "./urls.js";

/** @import { AnswerResult, ClientOptions, SessionMessage, SessionState } from "./types.js" */

/**
 * `deviceId` is a secret of the device, 16 to 64 characters made at random: see `makeDeviceId`. With it, a second
 * connection takes the place of the first.
 * @typedef {ClientOptions & {origin: string, sessionId: string, deviceId?: string}} SessionOptions
 */

/** @extends {SocketClient<SessionMessage, SessionState>} */
export class SessionClient extends SocketClient {
  /** @param {SessionOptions} options */
  constructor({ origin, sessionId, deviceId, ...options }) {
    const url = socketUrl(origin, `/ws/sessions/${encodeURIComponent(sessionId)}/`);
    if (deviceId) url.searchParams.set("device_id", deviceId);
    super({ ...options, url: url.href, retry: sessionRetry, known: SESSION, reduce });
    this.sessionId = sessionId;
  }

  /**
   * Answer the question that is open. The same answer may be sent twice, and counts once.
   * @param {string} questionId
   * @param {number} choice an index of the question's choices
   * @returns {Promise<AnswerResult>} rejected with a `CommandError`
   */
  async answer(questionId, choice) {
    return (await this.request("answer", { question_id: questionId, choice })).data;
  }

  /**
   * Take another name, which everyone sees at once.
   * @param {string} displayName
   * @returns {Promise<void>} rejected with a `CommandError`, such as `name_taken`
   */
  async rename(displayName) {
    await this.request("rename", { display_name: displayName });
  }

  /** What is left of the open question by the server's clock, null where none is open. */
  get timeLeftMs() {
    const { phase, question } = this.known;
    if (phase !== "question" || question === null) return null;
    return Math.max(0, Date.parse(question.deadline) - this.serverNow());
  }
}
