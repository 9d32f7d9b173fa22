/** How to allow the camera, by browser. Pure: what the browser says of itself in, words out. */

/** @typedef {{key: string, label: string, steps: string[]}} Guide */

const RETRY = "Come back to this page and press “Try the camera again”.";

/** @type {Guide[]} */
export const GUIDES = [
  {
    key: "chrome-android",
    label: "Chrome on Android",
    steps: [
      "Tap the icon to the left of the address, at the top.",
      "Tap “Permissions”, then “Camera”, and allow it. Where it is missing, tap “Reset permissions”.",
      "Still nothing? In Android's settings open Apps, Chrome, Permissions, and allow the camera.",
      RETRY,
    ],
  },
  {
    key: "firefox-android",
    label: "Firefox on Android",
    steps: [
      "Tap the lock to the left of the address.",
      "Where it says “Camera: blocked”, tap it, so that it says allowed.",
      "Still nothing? In Android's settings open Apps, Firefox, Permissions, and allow the camera.",
      RETRY,
    ],
  },
  {
    key: "safari-ios",
    label: "Safari on iPhone and iPad",
    steps: [
      "Tap the icon at the side of the address, then “Website Settings”.",
      "Set “Camera” to “Allow”.",
      "Still nothing? In the Settings app open Apps, Safari, Camera, and choose “Allow” or “Ask”.",
      RETRY,
    ],
  },
  {
    key: "chrome-ios",
    label: "Chrome on iPhone and iPad",
    steps: [
      "Open the Settings app of your device, then Apps, then Chrome.",
      "Switch “Camera” on.",
      "Go back to Chrome, and allow the camera when it asks.",
      RETRY,
    ],
  },
  {
    key: "firefox-ios",
    label: "Firefox on iPhone and iPad",
    steps: [
      "Open the Settings app of your device, then Apps, then Firefox.",
      "Switch “Camera” on.",
      "Go back to Firefox, and allow the camera when it asks.",
      RETRY,
    ],
  },
  {
    key: "chrome",
    label: "Chrome or Edge on a computer",
    steps: ["Click the icon to the left of the address.", "Switch “Camera” on, or reset the permission.", RETRY],
  },
  {
    key: "firefox",
    label: "Firefox on a computer",
    steps: ["Click the crossed-out camera to the left of the address.", "Take the block away with the ×.", RETRY],
  },
  {
    key: "safari",
    label: "Safari on a Mac",
    steps: ["In the menu choose Safari, “Settings for this website”.", "Set “Camera” to “Allow”.", RETRY],
  },
];

/**
 * @param {string} userAgent
 * @param {number} maxTouchPoints an iPad says that it is a Mac, and no Mac has a touch screen
 * @returns {string} key of a guide
 */
export function browserOf(userAgent, maxTouchPoints) {
  const isApple = /iPhone|iPad|iPod/.test(userAgent) || (/Macintosh/.test(userAgent) && maxTouchPoints > 1);
  if (isApple) {
    if (/CriOS/.test(userAgent)) return "chrome-ios";
    return /FxiOS/.test(userAgent) ? "firefox-ios" : "safari-ios";
  }
  const family = /Firefox/.test(userAgent) ? "firefox" : /Chrome|Chromium/.test(userAgent) ? "chrome" : "safari";
  if (/Android/.test(userAgent)) return family === "firefox" ? "firefox-android" : "chrome-android";
  return family;
}

/** @param {string} key @returns {[own: Guide, others: Guide[]]} */
export function guidesFor(key) {
  const own = GUIDES.find((one) => one.key === key) ?? GUIDES[0];
  return [own, GUIDES.filter((one) => one !== own)];
}
