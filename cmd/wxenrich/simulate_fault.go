package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// parseLatency reads "60ms", or "60ms/150ms" for a median and a 99th percentile.
func parseLatency(text string) (wechattest.Latency, error) {
	median, p99, both := strings.Cut(text, "/")
	m, err := time.ParseDuration(median)
	if err != nil || m < 0 {
		return wechattest.Latency{}, fmt.Errorf("%q: want one such as 60ms, or 60ms/150ms for median and p99", text)
	}
	if !both {
		return wechattest.Constant(m), nil
	}
	p, err := time.ParseDuration(p99)
	if err != nil || p < m || m == 0 {
		return wechattest.Latency{}, fmt.Errorf("%q: want a p99 above the median, such as 60ms/150ms", text)
	}
	return wechattest.LogNormal(m, p), nil
}

// matchKeys are those of a fault's match; times is the fault's own, and every
// other key belongs to what it does.
var matchKeys = []string{"endpoint", "appid", "openid", "nth", "probability"}

// parseFault reads a fault's JSON, or its keys with commas between them: a key
// without a value is a switch that is on.
func parseFault(text string) (f wechattest.Fault, err error) {
	data := []byte(text)
	if !strings.HasPrefix(strings.TrimSpace(text), "{") {
		if data, err = faultJSON(text); err != nil {
			return f, err
		}
	}
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return f, fmt.Errorf(`%s: want {"match":{…},"do":{…},"times":n}, or key=value with commas between`, strings.TrimPrefix(err.Error(), "json: "))
	}
	if f.Do == (wechattest.Action{}) {
		return f, errors.New("does nothing: want what to do, such as code=-1 or reset")
	}
	return f, nil
}

// faultJSON sorts key=value pairs into the parts of a fault.
func faultJSON(text string) ([]byte, error) {
	match, do, fault := map[string]any{}, map[string]any{}, map[string]any{}
	for pair := range strings.SplitSeq(text, ",") {
		key, value, hasValue := strings.Cut(strings.TrimSpace(pair), "=")
		var v any = true
		if hasValue {
			v = value
			if json.Valid([]byte(value)) {
				v = json.RawMessage(value)
			}
		}
		switch {
		case key == "times":
			fault[key] = v
		case slices.Contains(matchKeys, key):
			match[key] = v
		case key == "latency":
			latency, err := parseLatency(value)
			if err != nil {
				return nil, err
			}
			do[key] = latency
		default:
			do[key] = v
		}
	}
	fault["match"], fault["do"] = match, do
	return json.Marshal(fault)
}
