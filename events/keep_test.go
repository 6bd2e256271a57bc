package events

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestKeep(t *testing.T) {
	t.Parallel()
	const always = `{"schema":"wxenrich.profile.v1","id":"WX_EVENTS-123456","appid":"` + testAppID + `","openid":"` + testOpenID + `",`
	const event = `"event":{"id":"WX_EVENTS-123456","type":"subscribe",`
	const place = `"stream":"WX_EVENTS","seq":123456,"subject":"wx.events.` + testAppID + `.subscribe","stored_at":"2026-03-01T08:30:00.123456789Z"`
	full := fullRecord()
	for name, tt := range map[string]struct {
		keep []string
		edit func(*Record)
		want string
	}{
		"one key": {[]string{"unionid"}, nil, always + `"unionid":"` + full.UnionID +
			`","status":"following","fetched_at":"2026-03-01T08:30:00.250120Z","replay":"r20260301a",` + event + place + `}}`},
		"of the user": {[]string{"user.remark", "user.qr_scene", "user.none"}, nil, always +
			`"status":"following","fetched_at":"2026-03-01T08:30:00.250120Z","replay":"r20260301a",` + event + place +
			`},"user":{"openid":"` + testOpenID + `","remark":"重要客户 王","qr_scene":4294967295}}`},
		"of the event": {[]string{"event.time", "event.meta", "source"}, nil, always +
			`"status":"following","fetched_at":"2026-03-01T08:30:00.250120Z","source":"batchget","replay":"r20260301a",` + event +
			`"time":"2026-03-01T08:29:59Z",` + place + `,"meta":{"campaign":"春","n":18446744073709551615}}}`},
		"a user of fields": {[]string{"user.sex"}, func(r *Record) { r.User = User{OpenID: testOpenID, Sex: 2, Remark: "x"} }, always +
			`"status":"following","fetched_at":"2026-03-01T08:30:00.250120Z","replay":"r20260301a",` + event + place +
			`},"user":{"openid":"` + testOpenID + `","sex":2}}`},
	} {
		k, err := ParseKeep(tt.keep)
		if err != nil {
			t.Fatal(err)
		}
		r := fullRecord()
		if tt.edit != nil {
			tt.edit(&r)
		}
		k.Apply(&r)
		got, err := r.Append(nil, JSON)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		packed, err := r.Append(nil, Msgpack)
		if err != nil {
			t.Fatal(err)
		}
		// What was stored may be read and thinned again.
		again, err := DecodeRecord(packed, Msgpack)
		if err != nil {
			t.Fatal(err)
		}
		k.Apply(&again)
		if twice, err := again.Append(nil, JSON); err != nil || string(twice) != tt.want {
			t.Errorf("%s: the second time %s, %v", name, twice, err)
		}
	}

	everything := fullRecord()
	all, err := ParseKeep(append(keepNames, "user.remark"))
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []*Keep{nil, all} {
		k.Apply(&everything)
		if diff := cmp.Diff(fullRecord(), everything); diff != "" {
			t.Errorf("a list of everything takes something away:\n%s", diff)
		}
	}
	if k, err := ParseKeep(nil); k != nil || err != nil {
		t.Errorf("%v, %v", k, err)
	}
	for _, bad := range []string{"unionId", "user.", "user.a b", "event", "openid"} {
		if _, err := ParseKeep([]string{bad}); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}
