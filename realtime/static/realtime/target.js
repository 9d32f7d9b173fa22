/** An event target whose events have types. */

/** @import { ClientEvents } from "./types.js" */

/** @template M what `message` carries */
export class ClientTarget extends EventTarget {
  /**
   * @template {keyof ClientEvents<M>} T
   * @overload
   * @param {T} type
   * @param {(event: ClientEvents<M>[T]) => void} listener
   * @param {AddEventListenerOptions} [options]
   * @returns {void}
   */
  /**
   * @overload
   * @param {string} type
   * @param {EventListenerOrEventListenerObject | null} listener
   * @param {AddEventListenerOptions | boolean} [options]
   * @returns {void}
   */
  /** @param {string} type @param {any} listener @param {any} [options] @override */
  addEventListener(type, listener, options) {
    super.addEventListener(type, listener, options);
  }
}
