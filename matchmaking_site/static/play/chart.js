/** The history of a rating as a line, and in words. Pure: points in, geometry and words out. */

/** @import { Rating, RatingPoint } from "../realtime/types.js" */

const MIN_SPAN = 100;

/**
 * @param {readonly RatingPoint[]} points newest first, one at least
 * @param {{width: number, height: number}} size
 * @returns {{line: string, dots: {x: number, y: number}[], low: number, high: number}} the polyline's points, from the
 *   rating before the first match on; `low` and `high` are the edges of the picture
 */
export function chartOf(points, { width, height }) {
  const values = valuesOf(points);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const margin = Math.max(0, MIN_SPAN - (most - least)) / 2;
  const [low, high] = [Math.floor((least - margin) / 10) * 10, Math.ceil((most + margin) / 10) * 10];
  const place = (/** @type {number} */ value, /** @type {number} */ index) => ({
    x: round((index / (values.length - 1)) * width),
    y: round(height - ((value - low) / (high - low)) * height),
  });
  const dots = values.map(place);
  return { line: dots.map(({ x, y }) => `${x},${y}`).join(" "), dots, low, high };
}

/** @param {string} name of the pool @param {readonly RatingPoint[]} points newest first, one at least */
export function chartWords(name, points) {
  const values = valuesOf(points).map(Math.round);
  const over = points.length === 1 ? "1 match" : `${points.length} matches`;
  const [first, last] = [values[0], values[values.length - 1]];
  return `Rating in ${name}: from ${first} to ${last} over ${over}, lowest ${Math.min(...values)}, highest ${Math.max(...values)}.`;
}

/** @param {Rating} rating @returns {[value: string, mark: string, about: string]} */
export function ratingFacts({ rating, deviation, provisional, games }) {
  const played = games === 1 ? "1 match" : `${games} matches`;
  return [String(Math.round(rating)), provisional ? "Provisional" : "", `±${Math.round(deviation)}, ${played}`];
}

/** @param {RatingPoint} point @returns {string[]} when, the rating after, and the change */
export function rowOf({ at, before, after }) {
  const change = Math.round(after) - Math.round(before);
  const when = new Date(at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  return [when, String(Math.round(after)), change < 0 ? `−${-change}` : `+${change}`];
}

/** @param {readonly RatingPoint[]} points newest first */
function valuesOf(points) {
  const oldestFirst = [...points].reverse();
  return [oldestFirst[0].before, ...oldestFirst.map((point) => point.after)];
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10;
}
