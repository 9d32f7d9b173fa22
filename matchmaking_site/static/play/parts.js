/** What challenges and parties are drawn of. */

import { drawList, hueOf, part, setText, setWaiting } from "../shared/dom.js";
import { initials } from "../shared/words.js";

/** @param {any} item @param {string} name */
export function drawAvatar(item, name) {
  const avatar = item.querySelector(".avatar");
  avatar.dataset.hue = String(hueOf(name));
  setText(avatar, initials(name));
}

/** @param {Element} line @param {readonly string[]} facts */
export function drawFacts(line, facts) {
  drawList(line, facts, () => part("span", ""), setText);
}

/** @param {any} item @param {string} text */
export function drawRefusal(item, text) {
  const line = item.querySelector(".error");
  setText(line, text);
  line.hidden = text === "";
}

/**
 * Something that is asked of the player.
 * @param {any} item
 * @param {{id: string, name: string, title: string, facts: readonly string[], refusal: string, isUnderWay: boolean}} asked
 */
export function drawAsked(item, { id, name, title, facts, refusal, isUnderWay }) {
  drawAvatar(item, name);
  const line = item.querySelector(".request-title");
  line.id = `asked-${id}`;
  setText(line, title);
  drawFacts(item.querySelector(".facts-line"), facts);
  drawRefusal(item, refusal);
  for (const button of item.querySelectorAll("button")) {
    button.setAttribute("aria-describedby", line.id);
    setWaiting(button, isUnderWay);
  }
}
