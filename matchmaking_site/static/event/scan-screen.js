/** The screen that scans: the picture of the camera, or what to do when there is none. */

import { element, onClick, part, writeLine } from "../shared/dom.js";
import { listenForPermission, Scanner } from "./camera.js";
import { browserOf, guidesFor } from "./guide.js";
import { scanWords } from "./words.js";

const CAN_RETRY = new Set(["denied", "missing", "busy"]);

export class ScanScreen {
  #scanner = new Scanner(element("video"));
  #isShown = false;

  /** @param {(code: string) => void} found */
  constructor(found) {
    this.#scanner.addEventListener("state", () => this.draw());
    this.#scanner.addEventListener("found", (/** @type {any} */ { detail }) => found(detail));
    onClick("retry-camera", () => this.#scanner.start());
    listenForPermission(() => this.#isShown && !this.#scanner.isRunning && this.#scanner.start());
    document.addEventListener("visibilitychange", () => this.#followPage());
    window.addEventListener("pagehide", () => this.#scanner.stop());
    drawGuides();
  }

  get words() {
    return scanWords(this.#scanner.state);
  }

  /** @param {boolean} isShown the camera runs while its picture is on the screen, and not longer */
  show(isShown) {
    if (isShown === this.#isShown) return;
    this.#isShown = isShown;
    this.#followPage();
  }

  draw() {
    const { state } = this.#scanner;
    element("viewfinder").hidden = state !== "looking" && state !== "unreachable";
    element("guide").hidden = state !== "denied";
    element("retry-camera").hidden = !CAN_RETRY.has(state);
    writeLine("scan-text", this.words);
  }

  #followPage() {
    if (this.#isShown && !document.hidden) this.#scanner.start();
    else this.#scanner.stop();
  }
}

function drawGuides() {
  const [own, others] = guidesFor(browserOf(navigator.userAgent, navigator.maxTouchPoints));
  element("guide-own").replaceChildren(...guide(own));
  element("guide-others").replaceChildren(
    ...others.map((one) => {
      const section = document.createElement("section");
      section.append(...guide(one));
      return section;
    }),
  );
}

/** @param {import("./guide.js").Guide} guide @returns {Element[]} */
function guide({ label, steps }) {
  const list = document.createElement("ol");
  list.append(...steps.map((step) => part("li", "", step)));
  return [part("h3", "", label), list];
}
