/** The REST routes of the service, from a page or from Node. Refusals are problem details, thrown as `Problem`. */

/**
 * The body of a refusal (`application/problem+json`).
 * @typedef {{code?: string, title?: string, detail?: string, errors?: Record<string, string[]>}} ProblemBody
 */

/**
 * What a call may carry. `origin`, such as `https://play.example`, is the page's own where there is a page;
 * `body` is sent as JSON, unless it is a `Blob`.
 * @typedef {{origin?: string, token?: string, body?: unknown}} CallOptions
 */

/** A refusal as the server words it, or the failure to reach the server: `status` 0, `code` "unreachable". */
export class Problem extends Error {
  /** @param {number} status @param {ProblemBody} body */
  constructor(status, body) {
    const ofFields = Object.values(body.errors ?? {}).flat();
    super(body.detail || ofFields.join(" ") || body.title || `The server answered ${status}.`);
    this.name = "Problem";
    this.status = status;
    /** The server's word for it, such as `name_taken`; empty where it gave none. */
    this.code = body.code ?? "";
    /** What is wrong with which field of the body. */
    this.errors = body.errors ?? {};
  }
}

/**
 * @param {string} method
 * @param {string} path such as `/v1/matchmaking/active`
 * @param {CallOptions} [options]
 * @returns {Promise<any>} the JSON of the answer, `{}` where there is none; rejected with a `Problem`
 */
export async function call(method, path, options) {
  const answer = await ask(method, path, options);
  return answer.json().catch(() => ({}));
}

/**
 * The same, for an answer that is no JSON.
 * @param {string} method
 * @param {string} path
 * @param {CallOptions} [options]
 * @returns {Promise<Response>} rejected with a `Problem`
 */
export async function ask(method, path, { origin, token, body } = {}) {
  const base = origin ?? globalThis.location?.origin;
  if (!base) throw new TypeError("Outside of a page, `origin` says where the service is.");
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = body instanceof Blob ? body.type : "application/json";
  const content = body instanceof Blob ? body : JSON.stringify(body);
  const answer = await fetch(new URL(path, base), { method, headers, body: content }).catch(() => {
    throw new Problem(0, { code: "unreachable", detail: "The server cannot be reached. Is your network up?" });
  });
  if (!answer.ok) throw new Problem(answer.status, await answer.json().catch(() => ({})));
  return answer;
}

/**
 * Where the service lets guests in.
 * @param {string} displayName
 * @param {{origin?: string}} [options]
 * @returns {Promise<{access: string, refresh: string, user_id: string, tenant_id: string}>} rejected with a `Problem`
 */
export function signInAsGuest(displayName, { origin } = {}) {
  return call("POST", "/v1/auth/guest", { origin, body: { display_name: displayName } });
}

/**
 * A `getToken` for clients: it keeps the tokens of somebody who has signed in, and renews them.
 * @param {{access: string, refresh?: string}} tokens
 * @param {{origin?: string}} [options]
 * @returns {import("./types.js").GetToken}
 */
export function tokenKeeper(tokens, { origin } = {}) {
  let kept = tokens;
  return async ({ fresh }) => {
    if (fresh || (kept.refresh && hasExpired(kept.access))) {
      const renewed = await call("POST", "/v1/auth/token/refresh", { origin, body: { refresh: kept.refresh } });
      kept = { ...kept, ...renewed };
    }
    return kept.access;
  };
}

const SOON_MS = 30_000;

/**
 * Does a token say that it is over, or about to be? After a long sleep nobody was there to be told.
 * @param {string} token
 */
function hasExpired(token) {
  try {
    const claims = JSON.parse(atob((token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/")));
    return claims.exp * 1000 - Date.now() < SOON_MS;
  } catch {
    return false; // a token of another form: the server says when it is over
  }
}
