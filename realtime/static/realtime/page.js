/** Tells a client what the browser knows: whether the page is seen, and when page or network come back. */

/**
 * @param {import("./client.js").SocketClient} client
 * @returns {() => void} stops it
 */
export function followPage(client) {
  const stop = new AbortController();
  const seen = () => {
    client.hidden = document.hidden;
    if (!document.hidden) client.wake();
  };
  const wake = () => client.wake();
  client.hidden = document.hidden;
  document.addEventListener("visibilitychange", seen, { signal: stop.signal });
  window.addEventListener("pageshow", wake, { signal: stop.signal });
  window.addEventListener("online", wake, { signal: stop.signal });
  // A lost network tells the socket nothing: this finds the dead connection within seconds.
  window.addEventListener("offline", wake, { signal: stop.signal });
  return () => stop.abort();
}
