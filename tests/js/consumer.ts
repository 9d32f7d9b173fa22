/** What a program in TypeScript sees of the client; it is checked, and not run. */

import {
  createChallenge, enterEvent, matchmakingClient, ratingHistory, reduce, SESSION, sessionClient, signInAsGuest, tokenKeeper,
  type Message, type SessionState,
} from "../../realtime/static/realtime/index.js";

const origin = "https://play.example";
const guest = await signInAsGuest("Ada", { origin });
const getToken = tokenKeeper(guest, { origin });
const queue = matchmakingClient({ origin, getToken });

queue.addEventListener("message", ({ detail: message }) => {
  if (message.type === "match_cancelled") {
    const reason: string = message.data.reason;
    const isBack: boolean = message.data.requeued;
    console.log(reason, isBack);
    // @ts-expect-error a match that is cancelled has no session
    console.log(message.data.session_id);
  }
  // @ts-expect-error no such message
  if (message.type === "match_canceled") console.log();
});
queue.addEventListener("change", () => {
  const position: number | null | undefined = queue.known.ticket?.position;
  // @ts-expect-error no such field
  console.log(position, queue.known.tickets);
});
queue.addEventListener("state", ({ detail }) => console.log(detail === "open"));
queue.connect();
await queue.opened();
const { queue_entry_id } = await queue.joinQueue({ pool_key: "duel", regions: ["eu"] });
await queue.leaveQueue({ queue_entry_id });
const { match, party, invitations } = queue.known;
if (match?.stage === "accepting") await queue.acceptMatch(match.match_id);
const until: string | null | undefined = match?.accept_by;
const { url, status } = await createChallenge({ pool_key: "duel", color_preference: "WHITE" }, { origin, token: guest.access });
const [first] = (await ratingHistory("duel", { origin, token: guest.access })).results;
console.log(until, party?.members[0]?.connected, invitations.map((one) => one.leader), url, status, first?.after);
// @ts-expect-error no such colour
await createChallenge({ color_preference: "RED" }, { origin, token: guest.access });
// @ts-expect-error a pool has a key
await queue.joinQueue({});

const room = sessionClient({ origin, getToken, sessionId: "s1", deviceId: "d".repeat(32) });
const { accepted, score } = await room.answer("q1", 2);
const left: number | null = room.timeLeftMs;
console.log(accepted satisfies boolean, score satisfies number, left, room.retryInMs, room.known.leaderboard?.[0]?.rank);
let state: SessionState = SESSION;
room.addEventListener("message", ({ detail }) => (state = reduce(state, detail)));
const heard = (message: Message) => message.type;
const session = await enterEvent({ join_code: "ABC234", display_name: "Ada", device_id: "d".repeat(32) }, { origin });
session.addEventListener("message", ({ detail }) => console.log(heard(detail), state.phase));
