package events

// The headers of records (R) and dead letters (D). NATS headers are compared
// with regard to case: set and read them by direct map access, never by names
// in another spelling.
const (
	HeaderMsgID       = "Nats-Msg-Id"   // R D: <stream>:<sequence>:<stored time, unix ns>[:<replay>] of the event; of a dead letter with "dead:" before it, and #<hop> behind it if it was redriven
	HeaderContentType = "Content-Type"  // R D: the encoding of the body; of a dead letter the producer's own, if any
	HeaderSchema      = "Wx-Schema"     // R: the shape of the body; whoever does not know it should not decode
	HeaderStatus      = "Wx-Status"     // R: status of the body
	HeaderEventID     = "Wx-Event-Id"   // R: id of the body
	HeaderAppID       = "Wx-Appid"      // R D: the account
	HeaderOpenID      = "Wx-Openid"     // R: the person
	HeaderSrcStream   = "Wx-Src-Stream" // R D: the stream that holds the event
	HeaderSrcSeq      = "Wx-Src-Seq"    // R D: its sequence there, decimal
	HeaderSrcTime     = "Wx-Src-Time"   // R D: when it was stored there, RFC 3339 to the nanosecond, UTC
	HeaderReplay      = "Wx-Replay"     // R D: id of the replay, if it was one
	HeaderHop         = "Wx-Hop"        // R D: how many redrives led here; absent when none
	HeaderDeliveries  = "Wx-Deliveries" // R D: how often the event had been delivered; absent when once
	HeaderTraceParent = "traceparent"   // R D: W3C trace context, to go on from: of a span of the lane below the event's, or the event's own where that is not sampled
	HeaderTraceState  = "tracestate"    // R D: W3C trace state that belongs to it

	HeaderSrcSubject    = "Wx-Src-Subject"    // D: the subject of the event; a record has it in its body
	HeaderDeadReason    = "Wx-Dead-Reason"    // D: why there is no record
	HeaderDeadCode      = "Wx-Dead-Code"      // D: WeChat's errcode, if there was one
	HeaderDeadMessage   = "Wx-Dead-Message"   // D: for a person; redacted
	HeaderDeadAttempts  = "Wx-Dead-Attempts"  // D: how many calls were made for it
	HeaderDeadTime      = "Wx-Dead-Time"      // D: when it was given up, RFC 3339 to the nanosecond, UTC
	HeaderDeadEventID   = "Wx-Dead-Event-Id"  // D: id of the event
	HeaderDeadTruncated = "Wx-Dead-Truncated" // D: original size in bytes, when the body had to be cut

	// With output.cloudevents a record is a CloudEvent in binary mode as well.
	HeaderCESpecVersion     = "ce-specversion"     // R: 1.0
	HeaderCEID              = "ce-id"              // R: the Nats-Msg-Id
	HeaderCESource          = "ce-source"          // R: urn:wxenrich:<appid>
	HeaderCEType            = "ce-type"            // R: the schema
	HeaderCESubject         = "ce-subject"         // R: the person
	HeaderCETime            = "ce-time"            // R: fetched_at of the body
	HeaderCEDataContentType = "ce-datacontenttype" // R: the encoding of the body
	HeaderCEDataSchema      = "ce-dataschema"      // R: the $id of the JSON Schema of the body

	// OrigPrefix is put before a producer's header that would command the
	// server (Nats-Rollup, Nats-Expected-…) or pass for one of ours.
	OrigPrefix = "Wx-Orig-"
)
