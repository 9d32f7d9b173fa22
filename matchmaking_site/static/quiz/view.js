/** The question with its choices and its deadline, and the leaderboard: the same in a duel and in an event. */

import { drawList, element, hueOf, part, setText, write, writeLine } from "../shared/dom.js";
import { initials, presence, presenceOf } from "../shared/words.js";
import * as words from "./words.js";

/** @import { Room } from "../shared/room.js" */

const MANY_CHARACTERS = 38;

/** @param {Room} room */
export function drawQuiz(room) {
  const { state } = room;
  if (!state.question) return;
  write("quiz-number", words.numberWords(state));
  write("quiz-title", state.question.text);
  drawChoices(room);
  drawVerdict(room);
  tickQuiz(room);
}

/** Only what the clock moves. @param {Room} room */
export function tickQuiz(room) {
  const { phase, question } = room.state;
  const isOpen = phase === "question";
  const ms = room.questionMsLeft();
  const [text, isShort] = words.timeLeft(ms);
  element("quiz-seconds").hidden = !isOpen;
  write("quiz-seconds", text);
  element("quiz-seconds").toggleAttribute("data-short", isShort);
  const bar = element("deadline");
  bar.parentElement.hidden = !isOpen;
  bar.toggleAttribute("data-short", isShort);
  bar.style.setProperty("--left", String(Math.min(1, ms / ((question?.seconds ?? 1) * 1000))));
  if (isOpen && ms === 0) for (const one of element("choices").querySelectorAll("button")) disable(one, true);
}

/** What became of one's answer. @param {Room} room @returns {ReturnType<typeof words.verdict>} */
export function verdictOf(room) {
  const own = room.ownAnswer;
  const { phase, participant_id: id } = room.state;
  return words.verdict({ phase, own, points: own?.points ?? null, refusal: room.refusal, isHost: !id });
}

/** @param {Room} room */
function drawVerdict(room) {
  const [is, text] = verdictOf(room);
  writeLine("verdict", text);
  element("verdict").dataset.is = is;
}

// --- choices

/** @param {Room} room */
function drawChoices(room) {
  const { question, participant_id: id } = room.state;
  const list = element("choices");
  const isLong = question.choices.some((/** @type {string} */ text) => text.length > MANY_CHARACTERS);
  list.toggleAttribute("data-many", isLong);
  drawList(list, question.choices, () => makeChoice(Boolean(id)), (item, text, index) => drawChoice(item, text, index, room));
}

/** @param {boolean} isMine a host's choices are no buttons */
function makeChoice(isMine) {
  const item = document.createElement("li");
  const choice = part(isMine ? "button" : "div", "choice");
  if (isMine) choice.setAttribute("type", "button");
  const bar = part("span", "choice-bar");
  bar.setAttribute("aria-hidden", "true");
  const body = part("span", "choice-body");
  body.append(part("span", "choice-text"), part("span", "choice-mark"));
  choice.append(bar, part("span", "choice-key"), body, part("span", "choice-count"));
  item.append(choice);
  return item;
}

/** @param {Element} item @param {string} text @param {number} index @param {Room} room */
function drawChoice(item, text, index, room) {
  const { correct_choice: correct, tally } = room.state;
  const choice = /** @type {any} */ (item.firstElementChild);
  const [state, mark] = words.choiceWords(index, {
    correct: correct ?? null,
    own: room.ownAnswer,
    sending: room.pending?.choice ?? null,
  });
  choice.dataset.state = state;
  choice.dataset.index = String(index);
  disable(choice, !room.canAnswer);
  const of = (/** @type {string} */ name) => choice.querySelector(`.choice-${name}`);
  setText(of("key"), String(index + 1));
  setText(of("text"), text);
  setText(of("mark"), mark);
  setText(of("count"), tally ? String(tally[index] ?? 0) : "");
  of("bar").style.setProperty("--share", String(tally ? share(tally, index) : 0));
}

/** A disabled button would lose the focus of who uses a keyboard. @param {Element} choice @param {boolean} isDisabled */
function disable(choice, isDisabled) {
  if (choice.tagName === "BUTTON") choice.setAttribute("aria-disabled", String(isDisabled));
}

/** @param {number[]} tally @param {number} index */
function share(tally, index) {
  const sum = tally.reduce((total, count) => total + count, 0);
  return sum ? (tally[index] ?? 0) / sum : 0;
}

/**
 * Answer by a click, or by the keys 1 to 6.
 * @param {() => Room | null} roomNow
 */
export function listenForAnswers(roomNow) {
  element("choices").addEventListener("click", (/** @type {any} */ event) => {
    const choice = event.target.closest(".choice");
    if (choice) roomNow()?.answer(Number(choice.dataset.index));
  });
  document.addEventListener("keydown", (event) => {
    const isTyping = /** @type {any} */ (event.target)?.closest?.("input, textarea, select, dialog");
    if (isTyping || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    const room = roomNow();
    const index = Number(event.key) - 1;
    if (room && index in (room.state.question?.choices ?? [])) room.answer(index);
  });
}

// --- people and places

/**
 * The two of a duel, with what they have scored.
 * @param {string} id of the list
 * @param {Room} room
 */
export function drawPlayers(id, room) {
  const make = () => /** @type {any} */ (element("player-template")).content.firstElementChild.cloneNode(true);
  drawList(element(id), room.state.participants, make, (item, player) => drawPlayer(item, player, room));
}

function drawPlayer(item, player, room) {
  const id = player.participant_id;
  const isMe = id === room.state.participant_id;
  const isCutOff = isMe && room.client.state !== "open";
  item.dataset.presence = isCutOff ? "away" : presenceOf(player);
  const avatar = item.querySelector(".avatar");
  avatar.dataset.hue = String(hueOf(player.display_name));
  setText(avatar, initials(player.display_name));
  drawName(item.querySelector(".player-name"), player.display_name, isMe);
  const words = isCutOff ? "No connection" : presence(player, room.state.left[id], room.secondsLeft(id));
  setText(item.querySelector(".player-words"), words);
  setText(item.querySelector(".player-score"), scoreOf(player, room));
}

/** Others' scores are told with the leaderboard alone, one's own at once. */
function scoreOf(player, room) {
  const { phase, participant_id: ownId, score } = room.state;
  if (phase === "lobby") return "";
  if (player.participant_id === ownId && score !== undefined && score !== null) return String(score);
  const seen = room.board.find((/** @type {any} */ one) => one.participant_id === player.participant_id);
  if (seen) return String(seen.score);
  return room.state.question?.number === 1 ? "0" : "";
}

/** @param {Element} target @param {string} name @param {boolean} isMe */
function drawName(target, name, isMe) {
  const key = `${isMe ? "me" : ""}|${name}`;
  if (/** @type {any} */ (target).dataset.key === key) return;
  /** @type {any} */ (target).dataset.key = key;
  target.replaceChildren(name, ...(isMe ? [" ", part("small", "", "(you)")] : []));
}

/**
 * @param {string} id of the list
 * @param {readonly any[]} board
 * @param {{ownId?: string, limit?: number}} [options]
 */
export function drawBoard(id, board, { ownId = "", limit = 10 } = {}) {
  drawList(element(id), words.boardRows(board, ownId, limit), makeRow, (item, row) => {
    const [rank, name, score] = item.children;
    item.toggleAttribute("data-me", row.isMe);
    item.toggleAttribute("data-gap", row.isAfterGap);
    setText(rank, `${row.rank}.`);
    drawName(name, row.display_name, row.isMe);
    setText(score, String(row.score));
  });
}

function makeRow() {
  const item = document.createElement("li");
  item.append(part("span", "board-rank"), part("span", "board-name"), part("span", "board-score"));
  return item;
}
