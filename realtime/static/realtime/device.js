/**
 * A secret by which a game session knows a device again, 32 hex digits; keep it where it survives a reload.
 * `crypto.randomUUID` is for secure contexts alone, and a server in a local network may have no TLS.
 */
export function makeDeviceId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
