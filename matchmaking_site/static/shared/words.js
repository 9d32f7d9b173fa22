/** What every page says of people and of the connection. Pure: state in, words out. */

/** Up to two letters to know a player by. @param {string} name */
export function initials(name) {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  return letters.map((word) => [...word][0].toUpperCase()).join("");
}

/** @param {readonly {display_name: string}[]} players */
export function someNames(players) {
  return players.map((one) => one.display_name).join(" and ");
}

export const LEFT = Object.freeze({ left: "left the game", grace_expired: "did not come back", kicked: "was removed" });

/** @param {string} words */
function sentence(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/**
 * @param {{connection_state: string}} participant
 * @param {string | undefined} reasonOfLeaving
 * @param {number | null} secondsLeft to come back in, null where unknown
 */
export function presence(participant, reasonOfLeaving, secondsLeft) {
  switch (participant.connection_state) {
    case "connected":
      return "Connected";
    case "temporarily_disconnected":
      if (secondsLeft === null) return "Not here right now";
      return secondsLeft > 0 ? `Connection lost, ${secondsLeft}\u00a0s left` : "Connection lost";
    default:
      return sentence(LEFT[reasonOfLeaving] ?? LEFT.left);
  }
}

/** @type {Record<string, string>} */
const PRESENCE = { connected: "connected", temporarily_disconnected: "away" };

/** How somebody is drawn: here, away or gone. @param {{connection_state: string} | undefined} participant */
export function presenceOf(participant) {
  return participant ? (PRESENCE[participant.connection_state] ?? "gone") : "away";
}

/** @param {number | null} seconds that one's place is kept for, null where nobody keeps one */
export function graceWords(seconds) {
  if (seconds === null) return "";
  return seconds > 0 ? `Your place is kept for ${seconds} s.` : "Your place may be gone by now.";
}

/**
 * @param {import("../realtime/client.js").SocketClient | null} client
 * @param {number | null} [graceLeft]
 * @returns {[title: string, text: string, action: string]}
 */
export function bannerWords(client, graceLeft = null) {
  if (client === null || client.state === "open") return ["", "", ""];
  if (client.isReplaced) {
    return ["You went on in another window.", "This one has stopped.", "Continue here"];
  }
  const kept = graceWords(graceLeft);
  const say = (/** @type {string} */ text) => [text, kept].filter(Boolean).join(" ");
  if (client.state === "connecting") {
    return client.isReconnecting ? ["Connection lost.", say("Connecting again…"), ""] : ["", "", ""];
  }
  if (client.retryAt === null) return ["No connection to the server.", kept, "Connect"];
  const seconds = Math.max(0, Math.ceil((client.retryAt - Date.now()) / 1000));
  return ["Connection lost.", say(seconds ? `Next try in ${seconds} s.` : "Connecting again…"), "Try now"];
}
