/** One's ratings in the lobby: a number for each pool, with a chart of how it came about. */

import { drawKeyed, element, fromTemplate, part, setText, writeLine } from "../shared/dom.js";
import { chartOf, chartWords, ratingFacts, rowOf } from "./chart.js";

/** @typedef {import("./play.js").App} App */
/** @typedef {import("../realtime/types.js").Rating} Rating */
/** @typedef {import("../realtime/types.js").RatingPoint} RatingPoint */

const SIZE = { width: 320, height: 96 };

/** @typedef {{list: Rating[] | null, points: Map<string, RatingPoint[]>}} Ratings */

/** @param {App} app @param {() => void} draw */
export function listenForRatings(app, draw) {
  element("fold-ratings").addEventListener("toggle", () => loadRatings(app, draw));
}

/** The numbers, and where they are looked at, their histories. @param {App} app @param {() => void} draw */
export async function loadRatings(app, draw) {
  try {
    const { results } = await app.identity.call("GET", "/v1/matchmaking/ratings");
    app.ratings.list = results;
    const played = element("fold-ratings").open ? results.filter((rating) => rating.games > 0) : [];
    for (const { pool_key: key } of played) {
      const page = await app.identity.call("GET", `/v1/matchmaking/ratings/${encodeURIComponent(key)}/history`);
      app.ratings.points.set(key, page.results);
    }
    writeLine("ratings-error", "");
  } catch (error) {
    writeLine("ratings-error", error.message);
  }
  draw();
}

/** @param {App} app */
export function drawRatings({ ratings, pools }) {
  const shown = (ratings.list ?? []).filter((rating) => rating.games > 0);
  const best = shown[0];
  const nameOf = (/** @type {Rating} */ { pool_key: key }) => pools?.find((pool) => pool.pool_key === key)?.name || key;
  writeLine("ratings-hint", best ? `${Math.round(best.rating)} in ${nameOf(best)}` : "");
  element("no-ratings").hidden = ratings.list === null || shown.length > 0;
  const make = () => fromTemplate("rating-template");
  drawKeyed(element("ratings"), shown, (one) => one.pool_key, make, (item, rating) => {
    drawRating(item, rating, nameOf(rating));
    drawHistory(item, nameOf(rating), ratings.points.get(rating.pool_key) ?? []);
  });
}

function drawRating(item, rating, name) {
  const [value, mark, about] = ratingFacts(rating);
  const of = (/** @type {string} */ part) => item.querySelector(`.rating-${part}`);
  setText(of("name"), name);
  setText(of("value"), value);
  setText(of("mark"), mark);
  of("mark").hidden = mark === "";
  setText(of("about"), about);
}

/** Drawn anew only where a match was added. @param {any} item @param {string} name @param {readonly RatingPoint[]} points */
function drawHistory(item, name, points) {
  const newest = points[0]?.match_id ?? "";
  if (item.dataset.drawn === newest) return;
  item.dataset.drawn = newest;
  item.querySelector(".rating-history").hidden = points.length === 0;
  if (points.length) drawChart(item, name, points);
  item.querySelector("tbody").replaceChildren(...points.map(rowFor));
  setText(item.querySelector("caption"), `Rating in ${name}, newest first`);
}

function drawChart(item, name, points) {
  const { line, dots, low, high } = chartOf(points, SIZE);
  const chart = item.querySelector("svg");
  chart.setAttribute("aria-label", chartWords(name, points));
  chart.querySelector("polyline").setAttribute("points", line);
  const last = dots[dots.length - 1];
  chart.querySelector("polygon").setAttribute("points", `0,${SIZE.height} ${line} ${last.x},${SIZE.height}`);
  chart.querySelector("circle").setAttribute("cx", last.x);
  chart.querySelector("circle").setAttribute("cy", last.y);
  setText(item.querySelector(".chart-high"), String(high));
  setText(item.querySelector(".chart-low"), String(low));
}

/** @param {RatingPoint} point */
function rowFor(point) {
  const row = document.createElement("tr");
  const [when, after, change] = rowOf(point);
  const head = part("th", "", when);
  head.setAttribute("scope", "row");
  row.append(head, part("td", "", after), part("td", "", change));
  return row;
}
