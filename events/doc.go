// Package events is the wire contract of wxenrich: what goes in, what comes
// out, on which subjects, in which streams. The service and its users share it.
//
// # Flow
//
//	wx.events.<appid>.<type> ──► wxenrich ──► wx.profiles.<appid>         a Record
//	   an openid, in any form                 wx.dead.<appid>.<reason>    a DeadLetter
//
// Each stored event is answered once: by one record, or by one dead letter that
// says why there is none. These are the default subjects; each is a [Template].
//
// # What goes in
//
// Only an openid is needed. A [Decoder] takes it in every form that producers
// have, by the message's Content-Type, else by its first byte:
//
//   - text: the bare openid, so that nats pub wx.events.<appid>.subscribe <openid> works
//   - JSON: {"openid":"o6_bm…"}, and optionally id (text or integer), appid, type,
//     time (RFC 3339, unix seconds or milliseconds), lang (zh_CN, zh_TW, en) and meta
//     (any value, handed through untouched)
//   - msgpack: the same map; time may also be a timestamp
//   - XML: a WeChat push as it came; FromUserName, CreateTime, Event, EventKey and
//     Ticket are kept
//   - CloudEvents 1.0: structured JSON, or binary mode in ce- headers; the data is
//     any of the above, and without an openid in it the subject attribute is one
//
// An event's id is the payload's, else ce-id, else Nats-Msg-Id, else
// <stream>-<sequence>; its type the payload's, else the subject's last token.
// An event of type unsubscribe is answered without asking WeChat. What cannot
// be decoded, names another account, or cannot be an openid becomes a dead
// letter at once, and costs no call.
//
// # What comes out
//
// A [Record] in msgpack or JSON, the same keys in both. Absent values are absent
// keys; consumers must pass over keys they do not know, since within schema
// wxenrich.profile.v1 keys are added.
//
//	schema      "wxenrich.profile.v1"
//	id          the event's id
//	appid, openid, unionid
//	status      "following", "not_following", "unsubscribed"
//	lang        the language that was asked for
//	fetched_at  when the look-up began, RFC 3339 with six digits, UTC: of two records
//	            for one person the later is the truer
//	source      "batchget", "info", "recent"; absent for unsubscribed
//	replay      the replay's id, when replayed
//	marker      "unionid_missing": a follower without a unionid where others have one
//	event       id, type, time, stream, seq, subject, stored_at, event_key, scene,
//	            ticket, meta
//	user        WeChat's fields by WeChat's names, fields unknown to us included
//
// Headers say the same to those who only route or audit; see the Header
// constants.
//
// # In Go
//
// A [Publisher] stores events, a [Subscriber] hands records to a function.
// Below them are [Event.Msg], [ParseRecord] and [ParseDeadLetter]; a [Value]
// reads what has no type of its own.
//
// # Guarantees
//
// An input is acknowledged only when its record or dead letter is stored. Both
// carry a Nats-Msg-Id made of the input's stream, sequence and stored time
// ([Source.MsgID]), never the producer's id: it can only suppress a repeat of
// our own. The output stream remembers ids for its duplicate window (10 minutes
// by default), and within it an event has one answer there. A repeat after a
// longer outage is stored a second time, under the same id. Delivery from there
// to consumers is at least once, as always with JetStream: make them idempotent
// by the message's Nats-Msg-Id.
//
// # Dead letters
//
// A [DeadLetter] is the original message, byte for byte, with the [Reason] and
// what is known in Wx-Dead- headers. Headers of the producer that would command
// the server or pass for ours come as Wx-Orig-<name>. A redrive decodes it again
// and answers under the identity of the original input.
//
// # Streams
//
// [EnsureStream] makes missing streams and never changes existing ones: it
// reports each [Drift] and says which of them make it unsafe to go on.
//
// # Testing
//
// Package eventstest runs a real server inside a test, package pipelinetest the
// whole service. Decoders and encoders
// have no state and take no clock.
package events
