/** What can be read from a token without its key; the server alone can say whether it is true. */

const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** Is this the form of a JWT? @param {string} text */
export function isToken(text) {
  return TOKEN.test(text);
}

/** @param {string} token @returns {Record<string, any>} */
function claimsOf(token) {
  try {
    const part = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(part), (character) => character.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return {};
  }
}

/** @param {string} token */
export function nameIn(token) {
  const { name, sub } = claimsOf(token);
  return String(name ?? sub ?? "");
}

/** When a token expires, in ms since the epoch; 0 where it does not say. @param {string} token */
export function expiryOf(token) {
  const { exp } = claimsOf(token);
  return typeof exp === "number" ? exp * 1000 : 0;
}
