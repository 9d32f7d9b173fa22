/** @param {string} origin such as `https://example.org` @param {string} path */
export function socketUrl(origin, path) {
  const url = new URL(path, origin);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url;
}
