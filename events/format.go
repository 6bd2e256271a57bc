package events

import (
	"fmt"
	"strings"
)

// Format is the encoding of a record.
type Format string

// The formats; Msgpack is the default of the service's output.
const (
	JSON    Format = "json"
	Msgpack Format = "msgpack"
)

// ParseFormat reads a format as a configuration file names it.
func ParseFormat(s string) (Format, error) {
	switch f := Format(strings.ToLower(s)); f {
	case JSON, Msgpack:
		return f, nil
	}
	return "", fmt.Errorf("events: unknown format %q: want msgpack or json", s)
}

// ContentType is what a message in this format says in its Content-Type header.
func (f Format) ContentType() string {
	if f == JSON {
		return "application/json"
	}
	return "application/msgpack"
}

// FormatOf is the inverse of ContentType. It ignores case and parameters and
// takes msgpack by its older names too; ok is false for anything else.
func FormatOf(contentType string) (f Format, ok bool) {
	switch mediaType(contentType) {
	case mediaJSON:
		return JSON, true
	case mediaMsgpack:
		return Msgpack, true
	}
	return "", false
}
