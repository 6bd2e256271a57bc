// Prints so many records, one line of JSON each, with the message id:
//
//   node dist/consume.js <server> <durable> <count>
import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { decode, toJSON } from "./contract.js";

const [server, durable, count] = process.argv.slice(2);
if (server === undefined || durable === undefined || !(Number(count) > 0)) {
  console.error("usage: consume <server> <durable> <count>");
  process.exit(2);
}
const stream = "WX_PROFILES";

const nc = await connect({ servers: server });
const manager = await jetstreamManager(nc);
// Made if it is missing, else left as it is: what it has is its owner's choice.
await manager.consumers.info(stream, durable).catch(() =>
  manager.consumers.add(stream, { durable_name: durable, ack_policy: AckPolicy.Explicit }),
);
const consumer = await jetstream(nc).consumers.get(stream, durable);
const messages = await consumer.consume({ max_messages: 200 });
let left = Number(count);
for await (const m of messages) {
  let line: string;
  try {
    line = toJSON({ msg_id: m.headers?.get("Nats-Msg-Id"), record: decode(m.headers, m.data) });
  } catch (err) {
    console.error(`${m.subject}: ${String(err)}`);
    m.term("cannot be read"); // never again to this durable; it stays in the stream
    continue;
  }
  // Here belongs what is to be done with the record. Delivery is at least once:
  // be idempotent by Nats-Msg-Id; of two records for one person the later
  // fetched_at is the truer. m.nak(delay) has it again later.
  process.stdout.write(line + "\n");
  m.ack();
  if (--left === 0) break;
}
await nc.drain();
