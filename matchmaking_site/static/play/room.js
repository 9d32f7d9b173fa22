/** The game session that this player is in: its socket, its state and how it ended. */

import { sessionClient } from "../realtime/sockets.js";
import { followPage } from "../realtime/page.js";
import { reduce, SESSION } from "../realtime/state.js";
import { CLOSE_CODES } from "../realtime/protocol.js";

/**
 * Closing codes after which there is no way back into the room.
 * @type {Map<number, Ending>}
 */
const ENDINGS = new Map([
  [CLOSE_CODES.LEFT, "out"],
  [CLOSE_CODES.NO_SUCH_SESSION, "gone"],
  [CLOSE_CODES.NOT_ALLOWED, "gone"],
]);

/**
 * How a session ended for this player: it is over, they left, they are not in it any more for either reason,
 * or it is not there or not theirs.
 * @typedef {"finished" | "left" | "out" | "gone"} Ending
 */

export class Room extends EventTarget {
  state = SESSION;
  /** @type {Ending | null} */
  ending = null;
  #identity;
  #unfollow;
  #isLeaving = false;

  /**
   * @param {string} sessionId
   * @param {import("./identity.js").Identity} identity
   */
  constructor(sessionId, identity) {
    super();
    this.sessionId = sessionId;
    this.#identity = identity;
    this.client = sessionClient({
      origin: location.origin,
      sessionId,
      deviceId: identity.deviceId,
      // From the beginning: who is away since when is told by events alone, and a reload has forgotten them.
      lastSeq: 0,
      getToken: (wish) => identity.token(wish),
    });
    this.client.addEventListener("message", ({ detail }) => this.#hear(detail));
    this.client.addEventListener("state", () => this.#follow());
    this.#unfollow = followPage(this.client);
  }

  open() {
    this.client.connect();
  }

  /** Leave for good. @returns {Promise<void>} rejected with a `Problem` */
  async leave() {
    this.#isLeaving = true;
    try {
      await this.#identity.call("POST", `/v1/sessions/${this.sessionId}/leave`);
      this.#end("left");
    } finally {
      this.#isLeaving = false;
    }
  }

  close() {
    this.#unfollow();
    this.client.close();
  }

  /** Whole seconds that somebody away has to come back, null where unknown. @param {string} participantId */
  secondsLeft(participantId) {
    const absence = this.state.away[participantId];
    if (!absence) return null;
    const end = Date.parse(absence.since) + absence.grace_seconds * 1000;
    return Math.max(0, Math.ceil((end - this.client.serverNow()) / 1000));
  }

  #hear(message) {
    this.state = reduce(this.state, message);
    if (this.state.phase === "finished") this.#end("finished");
    else this.dispatchEvent(new Event("change"));
  }

  #follow() {
    const ending = this.client.state === "closed" ? ENDINGS.get(this.client.closeCode) : undefined;
    if (ending) this.#end(this.#isLeaving ? "left" : ending);
    else this.dispatchEvent(new Event("change"));
  }

  /** @param {Ending} ending */
  #end(ending) {
    if (this.ending) return;
    this.ending = ending;
    this.close();
    this.dispatchEvent(new Event("end"));
  }
}
