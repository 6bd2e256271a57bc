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
