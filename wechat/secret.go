package wechat

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a string that does not print: an app secret or an access token.
// Every fmt verb, slog and text encodings such as JSON show "[redacted]".
//
// Package fmt cannot call the methods of an unexported field, so a struct that
// holds a Secret in one has to implement [fmt.Formatter] itself.
type Secret string

// Reveal returns the string itself, for the wire and for nothing else.
func (s Secret) Reveal() string { return string(s) }

// String returns "[redacted]".
func (s Secret) String() string { return redacted }

// GoString returns "[redacted]".
func (s Secret) GoString() string { return redacted }

// Format prints "[redacted]" whatever the verb: %x and %q would otherwise
// reach the string.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue returns "[redacted]".
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]".
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
