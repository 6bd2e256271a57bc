package events

// The headers of records (R) and dead letters (D). NATS headers are compared
// with regard to case: set and read them by direct map access, never by names
// in another spelling.
const (
	HeaderMsgID       = "Nats-Msg-Id"   // R D: Source.MsgID; "dead:" before it on a dead letter
	HeaderContentType = "Content-Type"  // R D: of a dead letter the producer's own, if any
	HeaderSchema      = "Wx-Schema"     // R: SchemaV1
	HeaderStatus      = "Wx-Status"     // R: Status
	HeaderEventID     = "Wx-Event-Id"   // R: Event.ID
	HeaderAppID       = "Wx-Appid"      // R D
	HeaderOpenID      = "Wx-Openid"     // R
	HeaderSrcStream   = "Wx-Src-Stream" // R D: Source.Stream
	HeaderSrcSeq      = "Wx-Src-Seq"    // R D: Source.Seq, decimal
	HeaderSrcTime     = "Wx-Src-Time"   // R D: Source.Time, RFC 3339 to the nanosecond, UTC
	HeaderReplay      = "Wx-Replay"     // R D: id of the replay, if it was one
	HeaderHop         = "Wx-Hop"        // R D: how many redrives led here; absent when none
	HeaderDeliveries  = "Wx-Deliveries" // R D: how often the event had been delivered; absent when once
	HeaderTraceParent = "traceparent"   // R D: W3C trace context; set by the publisher
	HeaderTraceState  = "tracestate"    // R D

	HeaderSrcSubject    = "Wx-Src-Subject"    // D: Source.Subject; a record has it in its body
	HeaderDeadReason    = "Wx-Dead-Reason"    // D: Reason
	HeaderDeadCode      = "Wx-Dead-Code"      // D: WeChat's errcode, if there was one
	HeaderDeadMessage   = "Wx-Dead-Message"   // D: for a person; redacted
	HeaderDeadAttempts  = "Wx-Dead-Attempts"  // D: calls made for it
	HeaderDeadTime      = "Wx-Dead-Time"      // D: when it was given up, RFC 3339 to the nanosecond, UTC
	HeaderDeadEventID   = "Wx-Dead-Event-Id"  // D: Event.ID
	HeaderDeadTruncated = "Wx-Dead-Truncated" // D: original size in bytes, when the body had to be cut

	// OrigPrefix is put before a producer's header that would command the
	// server (Nats-Rollup, Nats-Expected-…) or pass for one of ours.
	OrigPrefix = "Wx-Orig-"
)
