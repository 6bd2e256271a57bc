package status

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

func TestFull(t *testing.T) {
	for name, c := range map[string]struct {
		cfg   jetstream.StreamConfig
		state jetstream.StreamState
		want  string
	}{
		"no limit":            {jetstream.StreamConfig{Discard: jetstream.DiscardNew, MaxMsgs: -1, MaxBytes: -1}, jetstream.StreamState{Msgs: 1e6, Bytes: 1e9}, ""},
		"room":                {jetstream.StreamConfig{Discard: jetstream.DiscardNew, MaxMsgs: 10, MaxBytes: 1000}, jetstream.StreamState{Msgs: 9, Bytes: 900}, ""},
		"as many as it takes": {jetstream.StreamConfig{Discard: jetstream.DiscardNew, MaxMsgs: 10}, jetstream.StreamState{Msgs: 10}, "10 of 10 messages"},
		"hardly a byte left":  {jetstream.StreamConfig{Discard: jetstream.DiscardNew, MaxBytes: 1000}, jetstream.StreamState{Bytes: 995}, "995 of 1000 bytes"},
		"drops the old":       {jetstream.StreamConfig{MaxMsgs: 10}, jetstream.StreamState{Msgs: 10}, ""},
	} {
		got := full(&jetstream.StreamInfo{Config: c.cfg, State: c.state}, false)
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
