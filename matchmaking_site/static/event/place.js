/** A place in an event, kept in this browser: who opens the page again is in again, without a question. */

import { makeDeviceId } from "../realtime/device.js";
import { call } from "../realtime/rest.js";
import { ofBrowser } from "../shared/storage.js";

const DEVICE_KEY = "device";
const PLACES_KEY = "places";
const MAX_KEPT = 20;

/** This browser's secret, by which an event knows it again. */
function ownDeviceId() {
  const kept = ofBrowser.get(DEVICE_KEY) ?? makeDeviceId();
  ofBrowser.set(DEVICE_KEY, kept);
  return kept;
}

export class Place {
  #joined;

  /** @param {string} code @param {{session_id: string, participant_id: string, display_name: string, token: string}} joined */
  constructor(code, joined, deviceId = ownDeviceId()) {
    this.code = code;
    this.deviceId = deviceId;
    this.#joined = joined;
  }

  /** @param {string} code @returns {Place | null} */
  static kept(code) {
    const joined = ofBrowser.get(PLACES_KEY)?.[code];
    return joined ? new Place(code, joined) : null;
  }

  /**
   * @param {string} code
   * @param {{name: string, attempt: string | null}} wish
   * @returns {Promise<Place>} rejected with a `Problem`
   */
  static async join(code, { name, attempt }, deviceId = ownDeviceId()) {
    const body = { join_code: code, display_name: name, device_id: deviceId, ...(attempt && { attempt }) };
    const place = new Place(code, await call("POST", "/v1/sessions/join", { body }), deviceId);
    place.#keep();
    return place;
  }

  get sessionId() {
    return this.#joined.session_id;
  }

  get name() {
    return this.#joined.display_name;
  }

  /** @param {string} name */
  renamed(name) {
    if (name === this.name) return;
    this.#joined = { ...this.#joined, display_name: name };
    this.#keep();
  }

  /** @returns {Promise<string>} a new one, where asked for, is had by joining again from the same device */
  async token({ fresh = false } = {}) {
    if (fresh) this.#joined = (await Place.join(this.code, { name: this.name, attempt: null }, this.deviceId)).#joined;
    return this.#joined.token;
  }

  /** @param {string} method @param {string} path @param {unknown} [body] */
  async call(method, path, body) {
    return call(method, path, { token: await this.token(), body });
  }

  forget() {
    const { [this.code]: _own, ...others } = ofBrowser.get(PLACES_KEY) ?? {};
    ofBrowser.set(PLACES_KEY, others);
  }

  /** The newest ones are kept; who has been in more events knows the code of an old one no more. */
  #keep() {
    const { [this.code]: _old, ...others } = ofBrowser.get(PLACES_KEY) ?? {};
    const newest = Object.entries(others).slice(-(MAX_KEPT - 1));
    ofBrowser.set(PLACES_KEY, Object.fromEntries([...newest, [this.code, this.#joined]]));
  }
}
