package wechat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestLookup names each code once more: a change of class has to be meant.
func TestLookup(t *testing.T) {
	t.Parallel()
	classes := map[Class][]int{}
	logins := map[Class][]int{}
	for _, row := range Table() {
		if row.Meaning == "" || row.Action == "" {
			t.Errorf("%v %d: meaning or action missing", row.Kind, row.Code)
		}
		if row.Kind == Login {
			logins[row.Class] = append(logins[row.Class], row.Code)
		} else {
			classes[row.Class] = append(classes[row.Class], row.Code)
		}
	}
	want := map[Class][]int{
		Unknown:      {40029, 40163, 42002, 42003, 42007, 76001, 76002, 76003, 76004, 76021, 76022},
		Transient:    {-1, 268487001, 268487002},
		StaleToken:   {40001, 40014, 42001},
		BadOpenID:    {40003, 41009, 46004, 49003},
		NotFollowing: {43004, 50005},
		BatchSize:    {40032},
		MinuteLimit:  {45011},
		DailyQuota:   {45009},
		Operator:     {40013, 40125, 40243, 48006, 61016, 61023, 61024, 89501, 89503, 89506, 89507},
		Permission:   {48001, 48004, 50001, 50002, 50004, 61003, 61007},
		Address:      {40164, 45035, 61004},
		Bug:          {40031, 40033, 40035, 40066, 40097, 41001, 43001, 43002, 43003, 44002, 47001},
	}
	if diff := cmp.Diff(want, classes); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[Class][]int{Operator: {40001, 40002, 41002, 41004, 43002}}, logins); diff != "" {
		t.Error(diff)
	}
	for _, c := range []struct {
		kind  Kind
		code  int
		class Class
		known bool
	}{
		{Data, 40001, StaleToken, true},
		{Login, 40001, Operator, true},
		{Data, 43002, Bug, true},
		{Login, 43002, Operator, true},
		{Login, 40013, Operator, true}, // of any kind
		{Login, 40003, Unknown, false},
		{Data, 12345, Unknown, false},
	} {
		row, ok := Lookup(c.kind, c.code)
		if row.Class != c.class || ok != c.known {
			t.Errorf("Lookup(%v, %d) = %v, %v, want %v, %v", c.kind, c.code, row.Class, ok, c.class, c.known)
		}
	}
	if !slices.IsSortedFunc(Table(), compareRows) || len(slices.CompactFunc(Table(), func(a, b Row) bool { return compareRows(a, b) == 0 })) != len(rows) {
		t.Error("table is not sorted or has a row twice")
	}
}

func TestClassOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want Class
	}{
		{nil, Unknown},
		{io.ErrClosedPipe, Unknown},
		{context.Canceled, Transient},
		{fmt.Errorf("wait: %w", context.DeadlineExceeded), Transient},
		{&net.OpError{Op: "dial", Err: errors.New("refused")}, Transient},
		{fmt.Errorf("lookup: %w", &Error{Class: BadOpenID, Code: 40003}), BadOpenID},
		{&Error{Class: Operator, Err: context.Canceled}, Operator},
	} {
		if got := ClassOf(c.err); got != c.want {
			t.Errorf("ClassOf(%v) = %v, want %v", c.err, got, c.want)
		}
	}
}

func TestErrorIs(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("x: %w", &Error{Op: "user/get", Class: BadOpenID, Code: 40003, Status: 200, Err: io.EOF})
	for _, c := range []struct {
		target error
		want   bool
	}{
		{&Error{Code: 40003}, true},
		{&Error{Class: BadOpenID, Op: "user/get"}, true},
		{&Error{Code: 40003, Op: "user/info"}, false},
		{&Error{Code: 40001}, false},
		{&Error{}, false},
		{io.EOF, true},
	} {
		if got := errors.Is(err, c.target); got != c.want {
			t.Errorf("errors.Is(%v, %#v) = %v, want %v", err, c.target, got, c.want)
		}
	}
}

func TestCutMessage(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("很长", 100)
	for _, c := range []struct{ msg, text, rid string }{
		{"invalid credential, access_token is invalid or not latest rid: 617682e0-09059ac5-34a8e2ea", "invalid credential, access_token is invalid or not latest", "617682e0-09059ac5-34a8e2ea"},
		{"invalid openid, rid: 60f1-2", "invalid openid", "60f1-2"},
		{"invalid openid hint: [abc_def]", "invalid openid", ""},
		{"invalid openid hint: [abc] rid: 1-2\n", "invalid openid", "1-2"},
		{"cut hint: [abc", "cut", ""},
		{"a grid: 7", "a grid: 7", ""},
		{"two\nlines\t\x07and\r\n bells", "two lines and bells", ""},
		{"invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist rid: 5f-1", "invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist", "5f-1"},
		{long, long[:198] + "…", ""},
		{"", "", ""},
	} {
		if text, rid := splitMessage(c.msg); bounded(text) != c.text || rid != c.rid {
			t.Errorf("splitMessage(%q) = %q, %q, want %q, %q", c.msg, text, rid, c.text, c.rid)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"":                         0,
		"7":                        7 * time.Second,
		"-7":                       0,
		"99999999999":              24 * time.Hour,
		"999999999999999999999999": 0,
		"soon":                     0,
		now.Add(time.Minute).Format(http.TimeFormat):      time.Minute,
		now.Add(-time.Minute).Format(http.TimeFormat):     0,
		now.Add(1000 * time.Hour).Format(http.TimeFormat): 24 * time.Hour,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("retryAfter(%q) = %v, want %v", header, got, want)
		}
	}
}

func FuzzError(f *testing.F) {
	f.Add("invalid openid hint: [abc] rid: 1-2", "1-2")
	f.Add("access_token=abc&secret=d\xff", "abc")
	f.Fuzz(func(t *testing.T, msg, secret string) {
		e := codeError(nil, call{op: "user/get", kind: Data, hide: secrets{secret}}, 40003, msg)
		if len(e.Message) > maxMessage+len("…") || len(e.RID) > 64 {
			t.Errorf("unbounded: %q %q", e.Message, e.RID)
		}
		for _, r := range e.Error() {
			if r < 0x20 {
				t.Errorf("%q has a control character", e.Error())
			}
		}
		if len(secret) >= 16 && (secrets{secret}).scrub(e.Error()) != e.Error() {
			t.Errorf("%q holds %q", e.Error(), secret)
		}
	})
}
