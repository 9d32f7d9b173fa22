/** The camera, and what it sees: the join code in the picture of an event. */

import { call } from "../realtime/rest.js";
import { cameraFault, codeIn } from "./words.js";

const EVERY_MS = 500;
const AFTER_REFUSAL_MS = 3000;
const MAX_BYTES = 60 * 1024;
const MAX_SIDE = 720;
const QUALITIES = [0.8, 0.6, 0.4, 0.2];

/** @typedef {"starting" | "looking" | "found" | "insecure" | "denied" | "missing" | "busy" | "unreachable"} ScanState */

/** Events: `state`, and `found` with the code as `detail`. */
export class Scanner extends EventTarget {
  /** @type {ScanState} */
  state = "starting";
  #video;
  #stream = /** @type {MediaStream | null} */ (null);
  #generation = 0;

  /** @param {HTMLVideoElement} video */
  constructor(video) {
    super();
    this.#video = video;
  }

  get isRunning() {
    return this.#stream !== null;
  }

  async start() {
    this.stop();
    const generation = this.#generation;
    if (!navigator.mediaDevices?.getUserMedia) return this.#become("insecure");
    this.#become("starting");
    try {
      const wish = { facingMode: { ideal: "environment" }, width: { ideal: 1280 }, height: { ideal: 1280 } };
      const stream = await navigator.mediaDevices.getUserMedia({ video: wish, audio: false });
      if (generation !== this.#generation) return stopTracks(stream);
      this.#stream = stream;
      this.#video.srcObject = stream;
      await this.#video.play();
      this.#become("looking");
      this.#look(generation);
    } catch (error) {
      if (generation !== this.#generation) return undefined;
      this.stop();
      this.#become(cameraFault(error.name));
    }
  }

  stop() {
    this.#generation++;
    if (this.#stream) stopTracks(this.#stream);
    this.#stream = null;
    this.#video.srcObject = null;
  }

  async #look(generation) {
    const read = await reader();
    while (generation === this.#generation) {
      const waitMs = await this.#lookOnce(read, generation);
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }

  /** @returns {Promise<number>} how long to wait before the next look */
  async #lookOnce(read, generation) {
    try {
      const code = this.#video.videoWidth ? await read(this.#video) : null;
      if (generation !== this.#generation) return 0;
      if (code) this.#found(code);
      else this.#become("looking");
      return EVERY_MS;
    } catch {
      if (generation === this.#generation) this.#become("unreachable");
      return AFTER_REFUSAL_MS;
    }
  }

  #found(code) {
    this.stop();
    this.#become("found");
    this.dispatchEvent(new CustomEvent("found", { detail: code }));
  }

  /** @param {ScanState} state */
  #become(state) {
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}

/** Tell when the user gives the permission elsewhere, where the browser says so. @param {() => void} given */
export async function listenForPermission(given) {
  try {
    const permission = await navigator.permissions.query({ name: /** @type {any} */ ("camera") });
    permission.addEventListener("change", () => permission.state === "granted" && given());
  } catch {
    // This browser does not tell; there is the button to try again.
  }
}

/** @param {MediaStream} stream */
function stopTracks(stream) {
  for (const track of stream.getTracks()) track.stop();
}

/** The browser's own reader where it has one, else the server's. @returns {Promise<(video: HTMLVideoElement) => Promise<string | null>>} */
async function reader() {
  const Detector = /** @type {any} */ (globalThis).BarcodeDetector;
  const formats = Detector ? await Detector.getSupportedFormats().catch(() => []) : [];
  if (!formats.includes("qr_code")) return readByServer;
  const detector = new Detector({ formats: ["qr_code"] });
  return async (video) => {
    const seen = await detector.detect(video).catch(() => []);
    return seen.map((/** @type {any} */ one) => codeIn(one.rawValue)).find(Boolean) ?? null;
  };
}

/** @param {HTMLVideoElement} video @returns {Promise<string | null>} */
async function readByServer(video) {
  const body = await jpegOf(video);
  if (!body) return null;
  return (await call("POST", "/v1/sessions/scan", { body })).join_code;
}

/** What the frame on the screen shows, as a picture that the server takes. @param {HTMLVideoElement} video */
async function jpegOf(video) {
  const { videoWidth: width, videoHeight: height } = video;
  const side = Math.min(width, height);
  const size = Math.min(side, MAX_SIDE);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size;
  canvas.getContext("2d").drawImage(video, (width - side) / 2, (height - side) / 2, side, side, 0, 0, size, size);
  for (const quality of QUALITIES) {
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
    if (blob && blob.size <= MAX_BYTES) return blob;
  }
  return null;
}
