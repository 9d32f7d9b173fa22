/** Copying a text by a button that says that it has. */

import { setText } from "./dom.js";

const SAID_MS = 2000;

/** @param {any} button @param {string} text */
export async function copyBy(button, text) {
  const before = (button.dataset.says ??= button.textContent);
  setText(button, (await copy(text)) ? "Copied" : "Copy it by hand");
  clearTimeout(Number(button.dataset.timer));
  button.dataset.timer = String(setTimeout(() => setText(button, before), SAID_MS));
}

/** @param {string} text @returns {Promise<boolean>} */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text); // a server in a local network may have no TLS, and so no clipboard
  }
}

/** @param {string} text */
function copyBySelection(text) {
  const { activeElement } = document;
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "visually-hidden";
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  if (activeElement instanceof HTMLElement) activeElement.focus();
  return isCopied;
}
