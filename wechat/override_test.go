package wechat

import (
	"testing"
	"time"
)

func TestOverrides(t *testing.T) {
	t.Parallel()
	o := Overrides{
		{Any, 45009}:   MinuteLimit,
		{Data, 45009}:  Transient,
		{Login, 40001}: Bug,
		{Any, 12345}:   BadOpenID,
		{Any, 48001}:   Unknown,
	}
	for _, c := range []struct {
		kind  Kind
		code  int
		class Class
		known bool
	}{
		{Data, 45009, Transient, true}, // the very kind goes before any
		{Login, 45009, MinuteLimit, true},
		{Data, 40001, StaleToken, true},
		{Login, 40001, Bug, true},
		{Data, 12345, BadOpenID, true},
		{Login, 12345, Unknown, false}, // there are no openids in a token call
		{Data, 48001, Unknown, true},
		{Data, 99999, Unknown, false},
		{Data, 40003, BadOpenID, true},
	} {
		if class, known := o.classify(c.kind, c.code); class != c.class || known != c.known {
			t.Errorf("%v %d: %v, %v, want %v, %v", c.kind, c.code, class, known, c.class, c.known)
		}
	}
}

// TestRowIsOfTheEffectiveClass holds what is shown to what is done.
func TestRowIsOfTheEffectiveClass(t *testing.T) {
	t.Parallel()
	o := Overrides{{Any, 89507}: Transient, {Any, 12345}: Operator, {Any, 48001}: Permission}
	data := call{op: "user/info", kind: Data}
	const ours = "the configuration says so (errcodes); what the code means is in WeChat's documents"
	for code, want := range map[int]Row{
		89507: {Any, 89507, Transient, "the administrator has refused this IP", ours, 0},
		12345: {Data, 12345, Operator, "not in the table of errcodes", ours, 0},
		48001: {Any, 48001, Permission, "no permission for this interface", "verify the account, or check what kind of token is used", 0},
		89506: {Any, 89506, Operator, "the administrator has refused this IP twice", "none for 24 hours, then ask the administrator", 24 * time.Hour},
	} {
		e := codeError(o, data, code, "")
		if row, ok := e.Row(); !ok || row != want || e.Class != want.Class || e.After != want.After || e.Advice() != want.Action {
			t.Errorf("%d: %+v, %v, error %+v, want %+v", code, row, ok, e, want)
		}
	}
	if row, ok := codeError(nil, data, 99999, "").Row(); ok {
		t.Errorf("%+v for a code that nobody knows", row)
	}
	kinds := []Kind{Any, Data, Login}
	for _, k := range kinds {
		if again, ok := ParseKind(k.String()); again != k || !ok {
			t.Errorf("%v: %v, %v", k, again, ok)
		}
	}
	if k, ok := ParseKind("tokens"); ok {
		t.Errorf("tokens is %v", k)
	}
}
