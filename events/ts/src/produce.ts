// Publishes an event for each openid on standard input:
//
//   node dist/produce.js <server> <appid> <json|msgpack> <prefix of the ids> < openids
import { createInterface } from "node:readline";
import { jetstream, type PubAck } from "@nats-io/jetstream";
import { connect, headers } from "@nats-io/transport-node";
import { contentType, encode, type Event, type Format } from "./contract.js";

const [server, appid, format, prefix] = process.argv.slice(2);
if (server === undefined || appid === undefined || prefix === undefined || (format !== "json" && format !== "msgpack")) {
  console.error("usage: produce <server> <appid> <json|msgpack> <prefix>");
  process.exit(2);
}

// What has to arrive as it is; i tells the events apart.
function meta(i: number) {
  return {
    campaign: "活动 🎉 👩‍👩‍👧",
    largest: 18446744073709551615n,
    smallest: -9223372036854775808n,
    unsafe: 9007199254740993n,
    fraction: 0.1 + i,
    nothing: null,
    list: [i, [true, false], {}, ""],
  };
}

function event(i: number, openid: string): Event {
  const e: Event = { openid, id: `${prefix}-${i}` };
  if (i % 2 === 0) e.meta = meta(i);
  if (i % 3 === 0) e.time = "2026-03-01T08:30:00.123456789Z";
  if (i % 5 === 0) e.lang = "en";
  if (i % 7 === 0) e.type = "unsubscribe";
  return e;
}

const nc = await connect({ servers: server });
const js = jetstream(nc);
let pending: Promise<PubAck>[] = [];
let i = 0;
for await (const openid of createInterface({ input: process.stdin })) {
  const h = headers();
  // The stream stores an id once: publishing again after a failure is safe.
  h.set("Nats-Msg-Id", `${appid}:${prefix}-${i}`);
  h.set("Content-Type", contentType[format as Format]);
  pending.push(js.publish(`wx.events.${appid}.subscribe`, encode(event(i, openid), format as Format), { headers: h, retries: 10 }));
  i++;
  if (pending.length >= 256) {
    await Promise.all(pending); // an event is stored when its ack is there, not before
    pending = [];
  }
}
await Promise.all(pending);
await nc.drain();
console.log(`${i} events stored`);
