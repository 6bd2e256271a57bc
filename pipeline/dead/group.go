package dead

import (
	"cmp"
	"slices"
	"time"

	"github.com/wxenrich/wxenrich/events"
)

// Group is letters of one account that died of one cause.
type Group struct {
	AppID  string        `json:"appid"`
	Reason events.Reason `json:"reason"`
	Code   int           `json:"errcode,omitempty"`
	Count  uint64        `json:"count"`
	Oldest time.Time     `json:"oldest"` // when the first was stored
	Newest time.Time     `json:"newest"`
}

// Groups sorts letters by account and cause.
type Groups map[groupKey]*Group

type groupKey struct {
	appid  string
	reason events.Reason
	code   int
}

// Add counts a letter.
func (g Groups) Add(l *Letter) {
	k := groupKey{l.AppID, l.Reason, l.Code}
	if g[k] == nil {
		g[k] = &Group{AppID: l.AppID, Reason: l.Reason, Code: l.Code, Oldest: l.Stored, Newest: l.Stored}
	}
	g[k].Count++
	if l.Stored.Before(g[k].Oldest) {
		g[k].Oldest = l.Stored
	}
	if l.Stored.After(g[k].Newest) {
		g[k].Newest = l.Stored
	}
}

// List is the groups, by account, the largest first.
func (g Groups) List() []Group {
	out := make([]Group, 0, len(g))
	for _, x := range g {
		out = append(out, *x)
	}
	slices.SortFunc(out, func(a, b Group) int {
		return cmp.Or(cmp.Compare(a.AppID, b.AppID), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Code, b.Code))
	})
	return out
}
