package wechat

import (
	"cmp"
	"slices"
	"time"
)

// Kind is the kind of endpoint that answered: one code may mean two things.
type Kind uint8

// The kinds of endpoint.
const (
	Any   Kind = iota // the code means the same everywhere
	Data              // called with an access token
	Login             // token and stable_token, called with the app secret
)

var kindNames = [...]string{"any", "data", "token"}

// String returns "any", "data" or "token".
func (k Kind) String() string { return kindNames[k] }

// Row is what this package knows of one errcode.
type Row struct {
	Kind    Kind
	Code    int
	Class   Class
	Meaning string        // in one line
	Action  string        // what an operator does about it, in one line
	After   time.Duration // how long WeChat is known to refuse, or is better not asked again; else 0
}

// Lookup returns the row of a code that an endpoint of this kind answered. A
// row for the very kind goes before one for any.
func Lookup(kind Kind, code int) (Row, bool) {
	for _, k := range [...]Kind{kind, Any} {
		i, ok := slices.BinarySearchFunc(sorted, Row{Kind: k, Code: code}, compareRows)
		if ok {
			return sorted[i], true
		}
	}
	return Row{}, false
}

// Table returns all rows, by code and then by kind.
func Table() []Row { return slices.Clone(sorted) }

var sorted = slices.SortedFunc(slices.Values(rows), compareRows)

func compareRows(a, b Row) int {
	return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Kind, b.Kind))
}
