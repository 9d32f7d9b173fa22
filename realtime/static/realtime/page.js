/** Tells a client what the browser knows: whether the page is seen, and when page, network or user come back. */

/**
 * @param {Pick<import("./client.js").SocketClient<any, any>, "hidden" | "state" | "retryAt" | "wake" | "probe">} client
 * @returns {() => void} stops it
 */
export function followPage(client) {
  const stop = new AbortController();
  const { signal } = stop;
  const seen = () => {
    client.hidden = document.hidden;
    if (!document.hidden) client.wake();
  };
  // Who touches the page wants it to work; a countdown that is on screen has its own button.
  const touched = () => {
    if (client.state === "closed" && client.retryAt === null) client.wake();
  };
  client.hidden = document.hidden;
  document.addEventListener("visibilitychange", seen, { signal });
  window.addEventListener("pageshow", seen, { signal });
  window.addEventListener("online", () => client.wake(), { signal });
  // A lost network tells the socket nothing: this finds the dead connection within seconds.
  window.addEventListener("offline", () => client.probe(), { signal });
  window.addEventListener("focus", touched, { signal });
  window.addEventListener("pointerdown", touched, { signal });
  window.addEventListener("keydown", touched, { signal });
  return () => stop.abort();
}
