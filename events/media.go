package events

import (
	"strings"

	"github.com/nats-io/nats.go"
)

// media is what a Content-Type makes of a payload.
type media uint8

const (
	mediaUnknown media = iota // not said, or a type we do not know: look at the payload
	mediaJSON
	mediaMsgpack
	mediaText
	mediaXML
	mediaCloudEvent // structured CloudEvents, JSON event format
)

// mediaTypes are matched without regard to case. application/cloudevents is
// the spelling of the CloudEvents binding for NATS.
var mediaTypes = [...]struct {
	name string
	media
}{
	{"application/json", mediaJSON},
	{"application/msgpack", mediaMsgpack},
	{"application/x-msgpack", mediaMsgpack},
	{"application/vnd.msgpack", mediaMsgpack},
	{"text/plain", mediaText},
	{"application/xml", mediaXML},
	{"text/xml", mediaXML},
	{"application/cloudevents+json", mediaCloudEvent},
	{"application/cloudevents", mediaCloudEvent},
}

// mediaType looks a Content-Type up, ignoring its parameters.
func mediaType(contentType string) media {
	if contentType == "" {
		return mediaUnknown
	}
	name, _, _ := strings.Cut(contentType, ";")
	name = strings.TrimSpace(name)
	for _, t := range mediaTypes {
		if strings.EqualFold(name, t.name) {
			return t.media
		}
	}
	return mediaUnknown
}

// sniff guesses by the first byte, which is enough: an openid starts with none
// of these. '[' counts as JSON so that a list is refused as what it is.
func sniff(data []byte) media {
	for _, c := range data {
		switch {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			continue
		case c == '{' || c == '[':
			return mediaJSON
		case c == '<':
			return mediaXML
		case isMapCode(c):
			return mediaMsgpack
		}
		break
	}
	return mediaText
}

// contentType is the header in either spelling that is in use.
func contentType(h nats.Header) string {
	if v := h[HeaderContentType]; len(v) > 0 {
		return v[0]
	}
	return h.Get("content-type")
}
