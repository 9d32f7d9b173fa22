/** What every page has around its screens: the title, the connection, the banner, and a voice for who listens. */

import { element, write } from "./dom.js";
import { bannerWords } from "./words.js";

/** @import { SocketClient } from "../realtime/client.js" */

const LINK = { open: ["connected", "Online"], connecting: ["away", "Connecting"], closed: ["gone", "Offline"] };

/** Show one screen; who had the focus in the last one finds it at the new one's title. @param {string} screen */
export function show(screen) {
  const screens = [...document.querySelectorAll(".screen")];
  const next = element(`screen-${screen}`);
  const before = screens.find((/** @type {any} */ one) => !one.hidden);
  if (before === next) return;
  const { activeElement } = document;
  const losesFocus = before && (activeElement === document.body || before.contains(activeElement));
  for (const one of screens) /** @type {any} */ (one).hidden = one !== next;
  window.scrollTo(0, 0);
  if (losesFocus) element(`${screen}-title`).focus({ preventScroll: true });
}

/** @param {string} title */
export function setTitle(title) {
  const whole = title ? `${title} · Matchmaking` : "Matchmaking";
  if (document.title !== whole) document.title = whole;
}

/** @param {string} name @param {SocketClient | null} client */
export function drawWho(name, client) {
  element("who").hidden = name === "";
  write("who-name", name);
  const [presence, text] = LINK[client?.state ?? "closed"];
  element("link-state").hidden = client === null;
  element("link-state").dataset.presence = presence;
  write("link-text", text);
}

/** @param {SocketClient | null} client @param {number | null} graceLeft whole seconds that one's place is kept for */
export function drawBanner(client, graceLeft = null) {
  const [title, text, action] = bannerWords(client, graceLeft);
  element("banner").hidden = title === "";
  write("banner-title", title);
  write("banner-text", text);
  element("banner-action").hidden = action === "";
  write("banner-action", action);
}

let lastSpoken = "";

/** Say what has changed to those who listen; the same is not said twice. @param {string} text */
export function speak(text) {
  if (text === lastSpoken) return;
  lastSpoken = text;
  write("spoken", text);
}

/**
 * Ask before something that cannot be taken back.
 * @param {{title: string, text: string, yes: string}} words
 * @returns {Promise<boolean>}
 */
export function ask({ title, text, yes }) {
  const dialog = element("ask");
  write("ask-title", title);
  write("ask-text", text);
  write("ask-yes", yes);
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/**
 * Draw soon, and once for many changes.
 * @param {() => void} draw
 * @returns {() => void}
 */
export function soon(draw) {
  let isPlanned = false;
  return () => {
    if (isPlanned) return;
    isPlanned = true;
    setTimeout(() => {
      isPlanned = false;
      draw();
    }, 20);
  };
}
