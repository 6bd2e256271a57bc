package contract

import (
	"encoding/json"
	"fmt"

	"github.com/wxenrich/wxenrich/events"
)

// ref is a reference inside the document.
func ref(path string) object { return object{{"$ref", "#/" + path}} }

// asyncAPI is the whole contract in one document, from the service's point of
// view: it receives events, and sends records, dead letters and notices of who is erased.
func asyncAPI(made map[string]object) object {
	components := object{}
	for _, name := range Names() {
		components = components.with(name, made[name])
	}
	return object{
		{"asyncapi", "3.0.0"},
		{"info", object{
			{"title", "wxenrich"},
			{"version", "1.0.0"},
			{"description", about},
			{"license", object{{"name", "MIT"}}},
		}},
		{"defaultContentType", events.Msgpack.ContentType()},
		{"servers", object{{"nats", object{
			{"host", "127.0.0.1:4222"}, {"protocol", "nats"},
			{"description", "Your own NATS with JetStream, 2.11 or later, or the one that runs inside wxenrich (nats.embedded)."},
		}}}},
		{"channels", channels()},
		{"operations", operations()},
		{"components", object{{"schemas", components}, {"messages", messages()}}},
	}
}

const about = `Openids in on NATS JetStream, WeChat follower profiles out, every event answered once: by a record, or by a dead letter that says why there is none.

Subjects and streams are the defaults of the configuration (input, output, dead); {appid} is the Official Account.

Stability: within version 1 of the schema this document only grows. Keys and headers that come out stay, with their type and meaning; pass over those you do not know. What was accepted stays accepted. The values of status and Wx-Dead-Reason are all there will be. Anything else is a version 2, under another value of the header Wx-Schema.

Integers may have 64 bits: read JSON and msgpack with a decoder that keeps them exact where that matters to you (seq, and whatever is in meta).`

// jetStream says how a stream keeps its messages where wxenrich has made it.
func jetStream(stream string, more ...member) object {
	return append(object{
		{"stream", stream}, {"storage", "file"}, {"retention", "limits"}, {"discard", "new"},
		{"max_age", events.DefaultMaxAge.String()}, {"duplicate_window", events.DefaultDuplicates.String()},
	}, more...)
}

func channels() object {
	appid := member{"appid", object{{"description", "the Official Account, A-Z a-z 0-9 _ -, at most 64"}, {"examples", []string{"wx0123456789abcdef"}}}}
	of := func(names ...string) (all object) {
		for _, name := range names {
			all = all.with(name, ref("components/messages/"+name))
		}
		return all
	}
	return object{
		{"events", object{
			{"address", "wx.events.{appid}.{type}"},
			{"title", "Events"},
			{"description", "What happened to followers. Publish with JetStream and wait for its ack: before that the event is not stored. " +
				"The service listens to the type subscribe unless input.subject says more. \"wxenrich gateway\" stores here what WeChat pushes, as WeChat's XML, of every type."},
			{"messages", of(eventMessages...)},
			{"parameters", object{appid, {"type", object{
				{"description", "the kind of event, where the payload does not say it"}, {"examples", []string{"subscribe", "unsubscribe", "SCAN", "backfill"}}}}}},
			{"x-jetstream", jetStream("WX_EVENTS", member{"producer", "With a Nats-Msg-Id of your own a publish can be repeated: within the duplicate window the stream keeps one. " +
				"The service never relies on it; two stored events are two answers. The gateway's is <appid>|<openid>|<event>|<time>|<key>, so that WeChat's repeats of a push are one event."})},
		}},
		{"profiles", object{
			{"address", "wx.profiles.{appid}"},
			{"title", "Records"},
			{"description", "One record for each event that could be answered. Not in the order of the events: of two records for one person the later fetched_at is the truer. " +
				"Where output is a list there is a channel like this for each, with a stream and a subject of its own: an event has a record in every one, under the same Nats-Msg-Id."},
			{"messages", of("recordMsgpack", "recordJSON")},
			{"parameters", object{appid}},
			{"x-jetstream", jetStream("WX_PROFILES", member{"consumer", "A durable pull consumer with explicit ack; delivery is at least once. " +
				"Ack when the record is processed, nak with a delay to have it again later, term for what can never be. Be idempotent by Nats-Msg-Id: it names the event's place, and the same event has the same id every time."})},
		}},
		{"dead", object{
			{"address", "wx.dead.{appid}.{reason}"},
			{"title", "Dead letters"},
			{"description", "The events that get no record: the original message, and in its headers why. No outage makes an event a dead letter."},
			{"messages", of("deadLetter")},
			{"parameters", object{appid, {"reason", object{{"description", "why"}, {"enum", events.Reasons()}}}}},
			{"x-jetstream", jetStream("WX_DEAD")},
		}},
		{"messages", object{
			{"address", "wx.messages.{appid}.{type}"},
			{"title", "Messages"},
			{"description", "What people write to the account, where \"wxenrich gateway\" takes WeChat's pushes (gateway.messages). The service does not read it."},
			{"messages", of("message")},
			{"parameters", object{appid, {"type", object{{"description", "WeChat's MsgType"}, {"examples", []string{"text", "image", "voice", "location"}}}}}},
			{"x-jetstream", jetStream("WX_MESSAGES", member{"consumer", "As for records. Nats-Msg-Id is the same for WeChat's repeats of a message."})},
		}},
		{"erased", object{
			{"address", "wx.erased.{appid}"},
			{"title", "Erased people"},
			{"description", "Who has been removed from the streams, by request or after an unsubscribe. Delete what you hold of the person from events stored up to up_to, " +
				"and pass over a record of such an event (stored_at of its event) that reaches you later. Whoever follows anew is somebody new."},
			{"messages", of("erased")},
			{"parameters", object{appid}},
			{"x-jetstream", jetStream("WX_ERASED", member{"consumer", "As for records: a durable of your own, at least once; the same notice has the same Nats-Msg-Id."})},
		}},
	}
}

func operations() object {
	operation := func(action, channel, summary string, names ...string) object {
		var refs []object
		for _, name := range names {
			refs = append(refs, ref("channels/"+channel+"/messages/"+name))
		}
		return object{{"action", action}, {"channel", ref("channels/" + channel)}, {"summary", summary}, {"messages", refs}}
	}
	return object{
		{"takeEvents", operation("receive", "events", "Takes an event; acknowledges it only when its record or dead letter is stored. It is delivered again until then, without a limit.", eventMessages...)},
		{"giveRecords", operation("send", "profiles", "Stores the record of an event, under a Nats-Msg-Id made of the event's place.", "recordMsgpack", "recordJSON")},
		{"giveDeadLetters", operation("send", "dead", "Stores an event that cannot be answered.", "deadLetter")},
		{"storeEvents", operation("send", "events", "The gateway stores an event that WeChat pushes, and tells WeChat success only then, or when the push is on the disk of its spool.", "eventXML")},
		{"storeMessages", operation("send", "messages", "The gateway stores a message that somebody wrote to the account, and tells WeChat success only then, or when the push is on the disk of its spool.", "message")},
		{"giveNotices", operation("send", "erased", "Tells that a person was erased.", "erased")},
	}
}

var eventMessages = []string{"eventJSON", "eventMsgpack", "eventText", "eventXML", "eventCloudEvent", "eventCloudEventBinary"}

func messages() object {
	const openid = "o6_bmjrPTlm6_2sgVt7hMZOPfL2M"
	producer := object{{"type", "object"}, {"properties", object{
		{events.HeaderMsgID, object{{"type", "string"}, {"description", "the producer's id of the event; within the stream's duplicate window the same id is stored once"}}},
		{events.HeaderContentType, object{{"type", "string"}, {"description", "the form of the body; without it the first byte tells"}}},
		{events.HeaderTraceParent, object{{"type", "string"}, {"description", "W3C trace context; the answer carries it on"}}},
	}}}
	message := func(title, contentType, summary string, headers, payload any, examples ...object) object {
		o := object{{"title", title}, {"contentType", contentType}, {"summary", summary}, {"headers", headers}, {"payload", payload}}
		if len(examples) > 0 {
			o = o.with("examples", examples)
		}
		return o
	}
	example := func(name string, payload any) object { return object{{"name", name}, {"payload", payload}} }
	asString := func(rules ...member) object { return append(object{{"type", "string"}}, rules...) }
	cloudHeaders := object{{"type", "object"}, {"required", []string{"ce-specversion", "ce-id", "ce-source", "ce-type"}}, {"properties", object{
		{"ce-specversion", object{{"const", "1.0"}}}, {"ce-id", asString()}, {"ce-source", asString()}, {"ce-type", asString()},
		{"ce-time", asString()}, {"ce-subject", asString(member{"description", "the openid, where the body has none"})},
	}}}
	cloudEvent := object{{"type", "object"}, {"required", []string{"specversion", "id", "source", "type"}}, {"properties", object{
		{"specversion", object{{"const", "1.0"}}}, {"id", asString()}, {"source", asString()}, {"type", asString()},
		{"subject", asString(member{"description", "the openid, where data has none"})}, {"data", ref("components/schemas/" + Event)},
	}}}
	record, headers := ref("components/schemas/"+Record), ref("components/schemas/"+RecordHeaders)
	return object{
		{"eventJSON", message("Event as JSON", "application/json", "A map; only openid is needed.", producer, ref("components/schemas/"+Event),
			example("least", object{{"openid", openid}}),
			example("most", object{{"openid", openid}, {"id", "order-17"}, {"type", "subscribe"}, {"time", 1700000123}, {"lang", "zh_CN"}, {"meta", object{{"campaign", "活动 🎉"}}}}))},
		{"eventMsgpack", message("Event as msgpack", "application/msgpack", "The same map.", producer, ref("components/schemas/"+Event))},
		{"eventText", message("Bare openid", "text/plain", "The openid and nothing else.", producer,
			asString(member{"pattern", openidPattern}), example("openid", openid))},
		{"eventXML", message("WeChat's push", "text/xml", "A push as it came, decrypted: FromUserName, CreateTime, Event, EventKey and Ticket are kept.", producer, asString())},
		{"eventCloudEvent", message("CloudEvent, structured", "application/cloudevents+json", "CloudEvents 1.0 in the JSON format.", producer, cloudEvent)},
		{"eventCloudEventBinary", message("CloudEvent, binary", "application/json", "CloudEvents 1.0 with the attributes in headers; the body is any of the other forms, or empty.", cloudHeaders, object{})},
		{"message", message("Message to the account", "text/xml", "WeChat's XML as it came, decrypted: ToUserName, FromUserName, CreateTime, MsgType, MsgId and what belongs to the type.", producer, asString())},
		{"recordMsgpack", message("Record as msgpack", events.Msgpack.ContentType(), "The default (output.format).", headers, record)},
		{"recordJSON", message("Record as JSON", events.JSON.ContentType(), "The same keys and values.", headers, record, example("follower", json.RawMessage(exampleRecord)))},
		{"deadLetter", message("Dead letter", "application/octet-stream", "The original message with the reason in its headers.", ref("components/schemas/"+DeadLetter), object{
			{"description", fmt.Sprintf("the event's own bytes; %s says if some had to be cut off", events.HeaderDeadTruncated)}})},
		{"erased", message("Notice of an erased person", events.JSON.ContentType(), "What to delete, and up to when.", object{{"type", "object"}, {"properties", object{
			{events.HeaderMsgID, asString(member{"description", "erased:<appid>:<openid>:<up_to, unix ns>"})},
			{events.HeaderSchema, object{{"const", events.SchemaErased}}},
			{events.HeaderContentType, object{{"const", events.JSON.ContentType()}}},
			{events.HeaderAppID, asString(member{"pattern", appidPattern})},
			{events.HeaderOpenID, asString(member{"pattern", openidPattern})},
		}}}, ref("components/schemas/"+Erased))},
	}
}

// exampleRecord is valid, and TestExampleRecord says so.
const exampleRecord = `{"schema":"wxenrich.profile.v1","id":"order-17","appid":"wx0123456789abcdef","openid":"o6_bmjrPTlm6_2sgVt7hMZOPfL2M",` +
	`"unionid":"o6_bmasdasdsad6_2sgVt7hMZOPfL","status":"following","lang":"zh_CN","fetched_at":"2026-03-01T08:30:00.250120Z","source":"batchget",` +
	`"event":{"id":"order-17","type":"subscribe","stream":"WX_EVENTS","seq":42,"subject":"wx.events.wx0123456789abcdef.subscribe",` +
	`"stored_at":"2026-03-01T08:30:00.123456789Z","meta":{"campaign":"活动 🎉"}},` +
	`"user":{"subscribe":1,"openid":"o6_bmjrPTlm6_2sgVt7hMZOPfL2M","nickname":"","sex":0,"language":"zh_CN","subscribe_time":1700000123,` +
	`"unionid":"o6_bmasdasdsad6_2sgVt7hMZOPfL","remark":"重要客户","groupid":0,"tagid_list":[128,2],"subscribe_scene":"ADD_SCENE_QR_CODE","qr_scene":7,"qr_scene_str":""}}`
