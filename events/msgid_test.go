package events

import (
	"testing"
	"time"
)

func TestParseMsgID(t *testing.T) {
	t.Parallel()
	at := time.Unix(0, 1700000123000000456).UTC()
	for id, want := range map[string]struct {
		src    Source
		replay string
		dead   bool
	}{
		"S:7:1700000123000000456":           {Source{Stream: "S", Seq: 7, Time: at}, "", false},
		"S:7:1700000123000000456:r-1":       {Source{Stream: "S", Seq: 7, Time: at}, "r-1", false},
		"dead:S:7:1700000123000000456":      {Source{Stream: "S", Seq: 7, Time: at}, "", true},
		"dead:a:b:7:1700000123000000456:x":  {Source{Stream: "a:b", Seq: 7, Time: at}, "x", true},
		"dead:S:7:1700000123000000456#12":   {Source{Stream: "S", Seq: 7, Time: at}, "", true},
		"dead:#1:7:1700000123000000456:r#1": {Source{Stream: "#1", Seq: 7, Time: at}, "r", true},
		"dead:S#1:7:1700000123000000456":    {Source{Stream: "S#1", Seq: 7, Time: at}, "", true},
		"1:2:18446744073709551615:-5":       {Source{Stream: "1:2", Seq: 1<<64 - 1, Time: time.Unix(0, -5).UTC()}, "", false},
	} {
		src, replay, dead, err := ParseMsgID(id)
		if err != nil || src != want.src || replay != want.replay || dead != want.dead {
			t.Errorf("ParseMsgID(%q) = %+v, %q, %v, %v, want %+v", id, src, replay, dead, err, want)
		}
	}
	for _, id := range []string{
		"", "dead:", "S", "S:7", ":7:8", "S:7:x", "S:x:8", "S:7:8:", "S:7:8:-", "S:07:8", "S:7:+8", "a.b:7:8", "S:7:8:r:", "S:-7:8", "dead:dead:S:7:8",
		"S:7:8#1", "dead:S:7:8#0", "dead:S:7:8#01", "dead:S:7:8#", "dead:S:7:8#-1", "dead:S:7:8#1#1",
	} {
		if src, replay, dead, err := ParseMsgID(id); err == nil {
			t.Errorf("ParseMsgID(%q) = %+v, %q, %v, want an error", id, src, replay, dead)
		}
	}
}

func TestValidNames(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"WX_EVENTS": true, "a:b": true, "流": true, "": false, "a.b": false, "a b": false, "a*": false, ">": false, "a/b": false, `a\b`: false, "a\x00": false, "dead:x": false, "dead": false, "deadline": true,
	} {
		if got := ValidStreamName(s); got != want {
			t.Errorf("ValidStreamName(%q) = %v", s, got)
		}
	}
	for s, want := range map[string]bool{"r1": true, "R-_": true, "1r": false, "": false, "r:1": false} {
		if got := ValidReplayID(s); got != want {
			t.Errorf("ValidReplayID(%q) = %v", s, got)
		}
	}
}
