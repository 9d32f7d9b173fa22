/** A list of many people, of which each change touches one. */

import { part, setText } from "../shared/dom.js";
import { presence, presenceOf } from "../shared/words.js";

export class People {
  #list;
  #limit;
  #shown = /** @type {Map<string, {item: any, participant: any}>} */ (new Map());

  /** @param {Element} list @param {number} [limit] how many are shown at most */
  constructor(list, limit = Infinity) {
    this.#list = list;
    this.#limit = limit;
  }

  /**
   * Who has left is not listed.
   * @param {readonly any[]} participants
   * @param {string} [ownId]
   * @returns {number} how many more there are than are shown
   */
  draw(participants, ownId = "") {
    const present = participants.filter((one) => one.connection_state !== "disconnected");
    const own = present.filter((one) => one.participant_id === ownId);
    const others = present.filter((one) => one.participant_id !== ownId);
    const shown = [...own, ...others].slice(0, this.#limit);
    this.#forgetAllBut(new Set(shown.map((one) => one.participant_id)));
    for (const participant of shown) this.#drawOne(participant, participant.participant_id === ownId);
    return present.length - shown.length;
  }

  /** @param {Set<string>} ids */
  #forgetAllBut(ids) {
    for (const [id, { item }] of this.#shown) {
      if (ids.has(id)) continue;
      item.remove();
      this.#shown.delete(id);
    }
  }

  #drawOne(participant, isMe) {
    const known = this.#shown.get(participant.participant_id);
    if (known?.participant === participant) return;
    const item = known?.item ?? this.#list.appendChild(makePerson());
    this.#shown.set(participant.participant_id, { item, participant });
    const isHere = participant.connection_state === "connected";
    item.dataset.presence = presenceOf(participant);
    item.toggleAttribute("data-me", isMe);
    setText(item.children[1], isMe ? `${participant.display_name} (you)` : participant.display_name);
    setText(item.children[2], isHere ? "" : `, ${presence(participant, undefined, null).toLowerCase()}`);
  }
}

function makePerson() {
  const item = part("li", "person");
  const dot = part("span", "dot");
  dot.setAttribute("aria-hidden", "true");
  item.append(dot, part("span", "person-name"), part("span", "visually-hidden"));
  return item;
}
