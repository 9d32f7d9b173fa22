/** The REST routes that the page needs. */

/** A refusal as the server words it (problem+json), or the failure to reach the server (`status` 0). */
export class Problem extends Error {
  /** @param {number} status @param {{code?: string, detail?: string, title?: string, errors?: Record<string, string[]>}} body */
  constructor(status, body) {
    const ofFields = Object.values(body.errors ?? {}).flat();
    super(body.detail || ofFields.join(" ") || body.title || `The server answered ${status}.`);
    this.name = "Problem";
    this.status = status;
    this.code = body.code ?? "";
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {{token?: string, body?: unknown}} [options]
 * @returns {Promise<any>} rejected with a `Problem`
 */
export async function call(method, path, { token, body } = {}) {
  const headers = { Accept: "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) }).catch(() => {
    throw new Problem(0, { code: "unreachable", detail: "The server cannot be reached. Is your network up?" });
  });
  const json = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(answer.status, json);
  return json;
}

/** @param {string} displayName */
export function logInAsGuest(displayName) {
  return call("POST", "/v1/auth/guest", { body: { display_name: displayName } });
}
