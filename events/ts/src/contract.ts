// The contract as TypeScript sees it: what goes in, what comes out, and how to
// read it without losing a digit.
import { decode as decodeMsgpack, encode as encodeMsgpack } from "@msgpack/msgpack";
import type { MsgHdrs } from "@nats-io/transport-node";
import { parse as parseJSON, stringify as stringifyJSON } from "lossless-json";

export type Format = "json" | "msgpack";

/** An integer: a bigint where a number would not hold it exactly. */
export type Integer = number | bigint;

/** What happened to a follower; only openid is needed. */
export interface Event {
  openid: string;
  id?: string;
  type?: string;
  time?: string | Integer;
  lang?: "zh_CN" | "zh_TW" | "en";
  meta?: unknown;
}

/** The answer to one event. Absent values are absent keys; there may be more keys than these. */
export interface Record {
  schema: "wxenrich.profile.v1";
  id: string;
  appid: string;
  openid: string;
  unionid?: string;
  status: "following" | "not_following" | "unsubscribed";
  lang?: string;
  fetched_at: string;
  source?: string;
  replay?: string;
  marker?: string;
  event: {
    id: string;
    type: string;
    time?: string;
    stream: string;
    seq: Integer;
    subject: string;
    stored_at: string;
    event_key?: string;
    scene?: string;
    ticket?: string;
    meta?: unknown;
  };
  user?: { openid: string; subscribe?: number; [field: string]: unknown };
}

export const schema = "wxenrich.profile.v1";

/** decode reads a record's message; it refuses a schema that it does not know before it looks at the body. */
export function decode(headers: MsgHdrs | undefined, data: Uint8Array): Record {
  const stated = headers?.get("Wx-Schema") ?? "";
  if (stated !== schema) {
    throw new Error(`unknown schema ${JSON.stringify(stated)}: want ${schema}`);
  }
  switch (headers?.get("Content-Type")) {
    case "application/msgpack":
      return decodeMsgpack(data, { useBigInt64: true }) as Record;
    case "application/json":
      return parseJSON(new TextDecoder("utf-8", { fatal: true }).decode(data), undefined, exact) as Record;
    default:
      throw new Error(`unknown encoding ${headers?.get("Content-Type")}`);
  }
}

/** exact makes a bigint of an integer that a number would round. */
function exact(text: string): number | bigint {
  const n = Number(text);
  return /^-?\d+$/.test(text) && !Number.isSafeInteger(n) ? BigInt(text) : n;
}

/** encode makes the body of an event. */
export function encode(event: Event, format: Format): Uint8Array {
  if (format === "msgpack") {
    return encodeMsgpack(event, { useBigInt64: true, ignoreUndefined: true });
  }
  return new TextEncoder().encode(toJSON(event));
}

export const contentType = { json: "application/json", msgpack: "application/msgpack" } as const;

/** toJSON is JSON.stringify that can write a bigint. */
export function toJSON(value: unknown): string {
  const text = stringifyJSON(value);
  if (text === undefined) {
    throw new Error("nothing to write");
  }
  return text;
}
