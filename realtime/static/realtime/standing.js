/** A leaderboard between two that the server sends: names change, and people join late. The order is the server's. */

/** @import { Standing } from "./types.js" */
/** @typedef {{participant_id: string, display_name: string}} Named */

/**
 * @param {readonly Standing[]} standing
 * @param {Named} newcomer without a point, behind all who have some
 * @returns {readonly Standing[]}
 */
export function withNewcomer(standing, { participant_id, display_name }) {
  if (standing.some((one) => one.participant_id === participant_id)) return standing;
  const rank = 1 + standing.filter((one) => one.score > 0).length;
  return ordered([...standing, { rank, participant_id, display_name, score: 0 }]);
}

/** @param {readonly Standing[]} standing @param {Named} renamed @returns {readonly Standing[]} */
export function withNewName(standing, { participant_id, display_name }) {
  return ordered(standing.map((one) => (one.participant_id === participant_id ? { ...one, display_name } : one)));
}

/** Equals by name, then by id. @param {Standing[]} standing */
function ordered(standing) {
  return standing.sort(
    (one, other) =>
      one.rank - other.rank ||
      compare(one.display_name, other.display_name) ||
      compare(one.participant_id, other.participant_id),
  );
}

/** By code points, as the server does; `<` goes by UTF-16. @param {string} one @param {string} other */
function compare(one, other) {
  const [left, right] = [[...one], [...other]];
  const index = left.findIndex((character, at) => character !== right[at]);
  if (index === -1) return left.length - right.length;
  return (left[index]?.codePointAt(0) ?? 0) - (right[index]?.codePointAt(0) ?? -1);
}
