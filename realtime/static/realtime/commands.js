/** Commands on their way, each waiting for the message that repeats its `ref`. */

/** @import { ErrorData, Message } from "./types.js" */

const ANSWER_TIMEOUT_MS = 10_000;

/** A command that did not succeed; `code` is the server's, or `connection_lost` or `no_answer`. */
export class CommandError extends Error {
  /** @param {ErrorData} problem */
  constructor(problem) {
    super(problem.detail);
    this.name = "CommandError";
    this.code = problem.code;
    this.problem = problem;
  }
}

export function connectionLost() {
  return new CommandError({ code: "connection_lost", detail: "There is no connection to the server." });
}

/**
 * @typedef {object} Waiting
 * @property {(message: Message) => void} resolve
 * @property {(error: CommandError) => void} reject
 * @property {ReturnType<typeof setTimeout>} timer
 */

export class Commands {
  /** @type {Map<string, Waiting>} */
  #waiting = new Map();
  #count = 0;

  /**
   * @param {(ref: string) => void} send
   * @returns {Promise<Message>} rejected with a `CommandError`
   */
  start(send) {
    const ref = String(++this.#count);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#fail(ref, noAnswer()), ANSWER_TIMEOUT_MS);
      this.#waiting.set(ref, { resolve, reject, timer });
      send(ref);
    });
  }

  /** @param {Message} message with a `ref` */
  settle(message) {
    const ref = message.ref ?? "";
    if (message.type === "error") this.#fail(ref, new CommandError(message.data));
    else this.#take(ref)?.resolve(message);
  }

  /** The connection is gone, and whether the commands arrived will be told by the next snapshot. */
  abandon() {
    for (const ref of [...this.#waiting.keys()]) this.#fail(ref, connectionLost());
  }

  /** @param {string} ref @param {CommandError} error */
  #fail(ref, error) {
    this.#take(ref)?.reject(error);
  }

  /** @param {string} ref */
  #take(ref) {
    const command = this.#waiting.get(ref);
    this.#waiting.delete(ref);
    clearTimeout(command?.timer);
    return command;
  }
}

function noAnswer() {
  return new CommandError({ code: "no_answer", detail: "The server did not answer in time." });
}
