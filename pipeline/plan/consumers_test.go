package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events/eventstest"
)

func TestConsumers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stream, account, accounts, have int
		version, want                   string
	}{
		"few":                           {-1, 0, 50, 50, "2.15.2", ""},
		"near the default":              {-1, 0, 945, 0, "2.15.2", "info max_consumers by default 1000"},
		"beyond the default":            {-1, 0, 995, 3, "2.15.2", "warn max_consumers by default 1000"},
		"others fill it":                {-1, 0, 3, 999, "2.15.2", "warn max_consumers by default 1000"},
		"no default yet":                {-1, 0, 5000, 0, "2.14.1", ""},
		"the stream says more":          {5000, 0, 995, 0, "2.15.2", ""},
		"the stream says less":          {5, 0, 1, 0, "2.11.0", "warn max_consumers 5"},
		"the account says less":         {5000, 100, 95, 0, "2.15.2", "warn max_consumers of the NATS account 100"},
		"the account, and no stream":    {-1, 4000, 995, 0, "2.15.2", ""},
		"the account says more than it": {1000, 4000, 995, 0, "2.15.2", "warn max_consumers 1000"},
	} {
		var got strings.Builder
		for _, f := range Consumers(jetstream.StreamConfig{Name: "IN", MaxConsumers: c.stream}, c.accounts, c.have, c.account, c.version) {
			got.WriteString(fmt.Sprint(f.Severity, " ", f.Field, " ", f.Have))
			if wantCommand := !strings.Contains(f.Field, "NATS account"); wantCommand != strings.HasPrefix(f.Fix, "nats stream edit IN --max-consumers ") {
				t.Errorf("%s: fix %q", name, f.Fix)
			}
		}
		if got.String() != c.want {
			t.Errorf("%s: %q, want %q", name, got.String(), c.want)
		}
	}
}

func TestReaders(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int]string{-1: "", 1: "warn", 11: "warn", 12: "", 100: ""} {
		got := ""
		for _, f := range Readers(jetstream.StreamConfig{Name: "OUT", MaxConsumers: limit}, 2, 0, "2.14.0") {
			got = string(f.Severity)
			if f.Fix != "nats stream edit OUT --max-consumers 24" || !strings.HasPrefix(f.Why, "2 consumers leave no room") {
				t.Errorf("%+v", f)
			}
		}
		if got != want {
			t.Errorf("%d: %q, want %q", limit, got, want)
		}
	}
}

// The server has the default that we count with, and takes the edit.
func TestDefaultMaxConsumers(t *testing.T) {
	t.Parallel()
	if defaultMaxConsumers != server.JSDefaultMaxConsumersPerStream {
		t.Errorf("the server's default is %d", server.JSDefaultMaxConsumersPerStream)
	}
	js := eventstest.NewServer(t).JetStream()
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "IN"}); err != nil {
		t.Fatal(err)
	}
	s, err := js.UpdateStream(t.Context(), jetstream.StreamConfig{Name: "IN", MaxConsumers: 2010})
	if err != nil || s.CachedInfo().Config.MaxConsumers != 2010 {
		t.Errorf("max_consumers cannot be changed: %v", err)
	}
}
