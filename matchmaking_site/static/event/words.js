/** What the pages of an event say, to its host and to who joins. Pure: state in, words out. */

/** How long a join that began before the lock still counts. */
const ATTEMPT_MS = 60_000;
const CODE_LENGTH = 6;

/** A code as the host shows it, from however somebody typed it. @param {string} text */
export function cleanCode(text) {
  return text.toUpperCase().replaceAll(/[^A-Z0-9]/g, "");
}

/** @param {string} code @returns {string} why it cannot be one; empty where it may be */
export function codeFault(code) {
  if (code === "") return "Please type the code.";
  return code.length === CODE_LENGTH ? "" : `A code has ${CODE_LENGTH} letters and digits.`;
}

/** The code in what a picture says: an address of a join page, or the code alone. @param {string} text @returns {string | null} */
export function codeIn(text) {
  const inAddress = /\/join\/([A-Za-z0-9]{6})\/?(?:[?#].*)?$/.exec(text.trim())?.[1];
  const alone = /^[A-Za-z0-9]{6}$/.exec(text.trim())?.[0];
  return (inAddress ?? alone)?.toUpperCase() ?? null;
}

const PHASES = {
  lobby: "It has not begun yet",
  question: "Already under way: you can still join",
  leaderboard: "Already under way: you can still join",
  finished: "Over",
};

/** @param {{phase: string} | null} look */
export function phaseWords(look) {
  return look ? (PHASES[look.phase] ?? "") : "";
}

/**
 * May somebody join who looks at the page, and what is there to say?
 * @param {{phase: string, locked: boolean}} look
 * @param {number | null} stampAgeMs age of the newest stamp got while joining was open
 * @returns {[mayJoin: boolean, note: string]}
 */
export function joinNote({ phase, locked }, stampAgeMs) {
  if (phase === "finished") return [false, "This event is over."];
  if (!locked) return [true, ""];
  const leftMs = stampAgeMs === null ? 0 : ATTEMPT_MS - stampAgeMs;
  if (leftMs <= 0) return [false, "The host has locked joining. As soon as it is open again, you can join here."];
  return [true, `The host has just locked joining. You were here before: you can still join for ${Math.ceil(leftMs / 1000)} s.`];
}

const REFUSALS = {
  name_taken: "Somebody here has this name already. Please choose another one.",
  session_locked: "The host has locked joining.",
  session_finished: "This event is over.",
  session_full: "This event is full.",
};

/** @param {{code: string, message: string}} problem */
export function refusalWords({ code, message }) {
  return REFUSALS[code] ?? message;
}

/** Is a refusal about the name that was typed? @param {{code: string, status: number, errors?: object}} problem */
export function isOfName({ code, status, errors }) {
  return code === "name_taken" || (status === 400 && "display_name" in (errors ?? {}));
}

const SCAN = {
  starting: "The browser may ask you to allow the camera.",
  looking: "Hold the picture that the host shows into the frame.",
  found: "Found.",
  insecure: "The camera works over https alone, and this page was opened without it. Your phone's own camera app can read the picture, and typing the code always works.",
  denied: "Without the camera this page sees nothing. Typing the code always works.",
  missing: "No camera was found on this device.",
  busy: "The camera could not be started. Another app may be using it.",
  unreachable: "Looking, but the server cannot be reached right now.",
};

/** @param {string} state of the scan */
export function scanWords(state) {
  return SCAN[state] ?? "";
}

/** @param {string} name of the error of `getUserMedia` */
export function cameraFault(name) {
  if (name === "NotAllowedError" || name === "SecurityError") return "denied";
  return name === "NotFoundError" || name === "OverconstrainedError" ? "missing" : "busy";
}

/** @param {readonly {connection_state: string}[]} participants */
export function peopleWords(participants) {
  const here = participants.filter((one) => one.connection_state === "connected").length;
  const away = participants.filter((one) => one.connection_state === "temporarily_disconnected").length;
  const counted = here === 1 ? "1 person is here" : `${here} people are here`;
  return away ? `${counted}, ${away} away` : counted;
}

/** @param {number} hidden how many are not listed */
export function moreWords(hidden) {
  return hidden > 0 ? `and ${hidden} more` : "";
}

/** What a participant reads before the first question. @param {{locked: boolean}} state @param {boolean} isConnected */
export function lobbyWords({ locked }, isConnected) {
  if (!isConnected) return "Without a connection your place is kept for a short while only.";
  return locked ? "Everybody is in. The host is about to start." : "You are in. The host starts when everybody is here.";
}

// --- the host

/** Where the code is typed, as one reads it out: without the scheme, and without the code. @param {string} joinUrl */
export function shortAddress(joinUrl) {
  return joinUrl.replace(/^https?:\/\//, "").replace(/\/[^/]*$/, "");
}

/** What comes next, on the button that does it; empty where nothing does. @param {{phase: string | null, question: any}} state */
export function nextWords({ phase, question }) {
  if (phase === "lobby") return "Start";
  if (phase === "question") return "Close the question";
  if (phase !== "leaderboard") return "";
  return question && question.number < question.of ? "Next question" : "Show the result";
}

/** @param {number | null} answered @param {readonly {connection_state: string}[]} participants */
export function answeredWords(answered, participants) {
  if (answered === null || answered === undefined) return "";
  const count = participants.filter((one) => one.connection_state !== "disconnected").length;
  return `${answered} of ${Math.max(count, answered)} answered`;
}

/** @param {number} count */
export function questionCount(count) {
  return count === 1 ? "1 question" : `${count} questions`;
}

/** What is wrong with a set of questions, a line each. @param {Record<string, string[]>} errors by field */
export function questionFaults(errors) {
  return Object.entries(errors)
    .filter(([field]) => field !== "title")
    .flatMap(([field, faults]) => faults.map((fault) => (/^questions?$/i.test(field) ? fault : `${field}: ${fault}`)));
}

/** The questions in a file: a list, or an object with one. @param {string} text @returns {unknown} throws where it is not JSON */
export function questionsIn(text) {
  const read = JSON.parse(text);
  return Array.isArray(read) ? read : (read?.questions ?? read);
}
