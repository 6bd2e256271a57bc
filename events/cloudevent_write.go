package events

import (
	"strings"

	"github.com/nats-io/nats.go"
)

// CloudEvents attributes of a record: what is fixed.
const (
	ceSpecVersion = "1.0"
	ceSchema      = "urn:wxenrich:v1:record" // the $id of the record's JSON Schema
	ceSource      = "urn:wxenrich:"          // and the account
)

// AddCloudEvent makes the record's message m a CloudEvent 1.0 in binary mode
// too, by the CloudEvents binding for NATS: attributes in ce- headers, the body
// is the data. Everything else about the message stays.
//
// The id is the message's own, so that a repeat of ours is the same CloudEvent;
// the type is the schema, the subject the openid, the time that of the look-up.
func (r *Record) AddCloudEvent(m *nats.Msg, f Format) {
	for name, value := range map[string]string{
		HeaderCESpecVersion:     ceSpecVersion,
		HeaderCEID:              r.Event.Source.MsgID(r.Replay),
		HeaderCESource:          ceSource + r.Event.AppID,
		HeaderCEType:            SchemaV1,
		HeaderCESubject:         r.Event.OpenID,
		HeaderCETime:            string(appendTime(nil, r.FetchedAt, true)),
		HeaderCEDataContentType: f.ContentType(),
		HeaderCEDataSchema:      ceSchema,
	} {
		m.Header[name] = []string{ceEscape(value)}
	}
}

// ceEscape percent-encodes what the binding wants encoded: blanks, quotes, the
// percent sign, and all that is not printable ASCII.
func ceEscape(s string) string {
	plain := func(c byte) bool { return c > ' ' && c < 0x7f && c != '"' && c != '%' }
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte("0123456789ABCDEF"[c>>4])
			b.WriteByte("0123456789ABCDEF"[c&15])
		}
	}
	return b.String()
}
