package main

import (
	"strconv"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/wechat"
)

// Whoever answers in WeChat's place must not fill a metrics server with codes.
func TestErrcodesAreABoundedLabel(t *testing.T) {
	t.Parallel()
	tm, err := newTelemetry(t.Context(), func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	record := tm.called(testAppID)
	for code := -2000; code < 2000; code++ {
		record(wechat.CallInfo{Op: "user/info", Code: 1_000_000 + code, Duration: time.Millisecond, Err: &wechat.Error{}})
	}
	record(wechat.CallInfo{Op: "user/info", Code: 45009, Duration: time.Millisecond, Err: &wechat.Error{}})
	families, err := tm.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]int)
	for _, f := range families {
		if f.GetName() != "wxenrich_api_duration_seconds" {
			continue
		}
		for _, m := range f.Metric {
			for _, l := range m.Label {
				if l.GetName() == "errcode" {
					seen[l.GetValue()] = int(m.GetHistogram().GetSampleCount())
				}
			}
		}
	}
	if len(seen) != 2 || seen["other"] != 4000 || seen[strconv.Itoa(45009)] != 1 {
		t.Errorf("calls by errcode: %v", seen)
	}
}

// An account that idles has no histogram of its tokens, and loses none of them.
func TestTokensOfAnIdleAccount(t *testing.T) {
	t.Parallel()
	for _, last := range []wechat.CallInfo{{Op: "user/info/batchget"}, {Op: "stable_token", Err: &wechat.Error{}}} {
		tm, err := newTelemetry(t.Context(), func(string) string { return "" })
		if err != nil {
			t.Fatal(err)
		}
		calls := func() (n int) {
			families, err := tm.registry.Gather()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range families {
				if f.GetName() != "wxenrich_api_duration_seconds" {
					continue
				}
				for _, m := range f.Metric {
					n += int(m.GetHistogram().GetSampleCount())
				}
			}
			return n
		}
		record := tm.called(testAppID)
		record(wechat.CallInfo{Op: "token"})
		record(wechat.CallInfo{Op: "stable_token"})
		if n := calls(); n != 0 {
			t.Errorf("%d calls of an account that idles", n)
		}
		record(last)
		record(wechat.CallInfo{Op: "stable_token"})
		if n := calls(); n != 4 {
			t.Errorf("%d calls, want all 4", n)
		}
	}
}
