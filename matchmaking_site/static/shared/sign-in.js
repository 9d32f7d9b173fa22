/** The forms to sign in: a name for a guest, or a token where guests are switched off. */

import { signInAsGuest } from "../realtime/rest.js";
import { element, onSubmit, refuse } from "./dom.js";
import { isToken } from "./tokens.js";

/**
 * @param {import("./identity.js").Identity} identity
 * @param {() => void} enter is called when somebody has signed in
 */
export function listenForSignIn(identity, enter) {
  onSubmit("guest-form", () => enterAsGuest(identity, enter));
  onSubmit("token-form", () => signInByToken(identity, enter));
}

async function enterAsGuest(identity, enter) {
  const name = element("display-name").value.trim();
  if (!name) return refuse("display-name", "guest-error", "Please type a name.");
  refuse("display-name", "guest-error", "");
  element("guest-submit").disabled = true;
  try {
    identity.take({ ...(await signInAsGuest(name)), name });
    enter();
  } catch (error) {
    if (error.status === 404) askForToken();
    else refuse("display-name", "guest-error", error.message);
  } finally {
    element("guest-submit").disabled = false;
  }
}

function askForToken() {
  element("guest-form").hidden = true;
  element("token-form").hidden = false;
  element("token").focus();
}

function signInByToken(identity, enter) {
  const access = element("token").value.trim();
  if (!isToken(access)) return refuse("token", "token-error", "This does not look like a token.");
  refuse("token", "token-error", "");
  identity.take({ access });
  enter();
}
