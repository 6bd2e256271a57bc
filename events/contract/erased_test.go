package contract

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/events"
)

// erasedRules is what is always true of a notice's values, and what they mean.
var erasedRules = object{
	{"schema", object{{"const", events.SchemaErased}}},
	{"appid", object{{"type", "string"}, {"pattern", appidPattern}, {"description", "the account"}}},
	{"openid", object{{"type", "string"}, {"pattern", openidPattern}, {"description", "the person"}}},
	{"unionid", object{{"type", "string"}, {"description", "the person over all accounts, where a record had told it"}}},
	{"up_to", object{{"type", "string"}, {"format", "date-time"},
		{"description", "everything from events stored up to here is to be deleted; a record of such an event that comes later is to be passed over"}}},
	{"erased_at", object{{"type", "string"}, {"format", "date-time"}, {"description", "when the streams were rid of it"}}},
	{"cause", object{{"type", "string"}, {"examples", []string{events.ErasedByRequest, events.ErasedByUnsubscribe}}, {"description", "why"}}},
}

// erasedRequired are the keys that are always there.
var erasedRequired = []string{"schema", "appid", "openid", "up_to", "erased_at"}

func notice() events.Erased {
	at := time.Date(2026, 3, 1, 8, 30, 0, 123456789, time.UTC)
	return events.Erased{AppID: appid, OpenID: openid, UnionID: "o6_bmasdasdsad6_2sgVt7hMZOPfL", UpTo: at, ErasedAt: at.Add(time.Hour), Cause: events.ErasedByRequest}
}

// erasedSchema describes a notice, and holds itself to what is written.
func erasedSchema(t *testing.T) object {
	t.Helper()
	n := notice()
	var written map[string]any
	if err := json.Unmarshal(n.Msg("wx.erased").Data, &written); err != nil {
		t.Fatal(err)
	}
	var described []string
	for _, m := range erasedRules {
		described = append(described, m.key)
	}
	if got := slices.Sorted(maps.Keys(written)); !slices.Equal(got, slices.Sorted(slices.Values(described))) {
		t.Errorf("a notice has %q, %q are described", got, described)
	}
	return object{
		{"title", "Erased"},
		{"description", "A person has been removed from the streams, and is to be removed from whatever was made of them. " +
			"Whoever follows anew afterwards is somebody new. Pass over keys that you do not know."},
		{"type", "object"}, {"required", erasedRequired}, {"properties", erasedRules}, {"additionalProperties", true},
	}
}

func TestErasedKeepsTheContract(t *testing.T) {
	t.Parallel()
	schema := published(t, Erased)
	least := notice()
	least.UnionID, least.Cause = "", ""
	for _, n := range []events.Erased{notice(), least} {
		m := n.Msg("wx.erased." + appid)
		if err := schema.Validate(body(t, events.JSON.ContentType(), m.Data)); err != nil {
			t.Error(err)
		}
		back, err := events.ParseErased(m.Header, m.Data)
		if err != nil || back != n {
			t.Errorf("%+v, want %+v: %v", back, n, err)
		}
		again := n
		again.ErasedAt = again.ErasedAt.Add(time.Hour)
		if id := again.Msg("x").Header.Get(events.HeaderMsgID); id != m.Header.Get(events.HeaderMsgID) {
			t.Errorf("a repeat has the id %s", id)
		}
	}
	for _, doc := range []string{`{}`, `{"schema":"wxenrich.erased.v1","appid":"a","openid":"short","up_to":"2026-03-01T08:30:00Z","erased_at":"2026-03-01T08:30:00Z"}`} {
		if schema.Validate(body(t, "", []byte(doc))) == nil {
			t.Errorf("takes %s", doc)
		}
	}
}

// TestErasedCovers: what is stored up to the cut-off, and of this person.
func TestErasedCovers(t *testing.T) {
	t.Parallel()
	n := notice()
	r := events.Record{Event: events.Event{AppID: appid, OpenID: openid, Source: source()}}
	if !n.Covers(&r) {
		t.Error("an event of the very moment is kept")
	}
	later, other := r, r
	later.Event.Source.Time = n.UpTo.Add(1)
	other.Event.AppID = "wx2"
	if n.Covers(&later) || n.Covers(&other) {
		t.Error("too much is deleted")
	}
	if _, err := events.ParseErased(nil, n.Msg("x").Data); err == nil {
		t.Error("a message without the schema's header is taken for a notice")
	}
}
