package audit_test

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/wxenrich/wxenrich/pipeline/audit"
)

// TestEventsOfJobs: what a job makes and answers has no durable that stays.
func TestEventsOfJobs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	subject := "wx.events." + appid + ".backfill"
	made := func(id string) *nats.Msg {
		return &nats.Msg{Subject: subject, Data: []byte(openid), Header: nats.Header{"Nats-Msg-Id": {id}}}
	}
	w.record(w.event(appid, ""))
	w.ack(appid, 1)
	w.record(w.store(made("done-1")))
	missing := w.store(made("done-2"))
	letter := w.letter(w.store(made("going-1")))
	w.store(made("going-2"))

	s := scope()
	s.Lanes = append(s.Lanes, audit.Lane{
		AppID: appid, Part: "backfill", Stream: "WX_EVENTS", Subjects: []string{subject}, Output: "WX_PROFILES", Dead: "WX_DEAD",
		Waiting: func(id string) bool { return !strings.HasPrefix(id, "done-") },
	})
	r := w.audit(s)
	live, jobs := r.Lanes[0], r.Lanes[1]
	if live.In != 1 || live.Records != 1 || live.Missing != 0 {
		t.Errorf("live: %+v", live)
	}
	if jobs.In != 4 || jobs.Records != 1 || jobs.DeadLetters != 1 || jobs.Pending != 1 || jobs.Missing != 1 || jobs.Part != "backfill" {
		t.Errorf("jobs: %+v", jobs)
	}
	w.found(r, audit.Finding{Kind: audit.Missing, Seq: missing.Seq, EventID: "done-2"})

	// Where a person may have taken its letter away, the note says how it is answered.
	w.remove(letter)
	noted(t, w.audit(s), `"wxenrich replay --appid `+appid+` --subject `+subject+` --from-seq 3 --to-seq 3" answers them again`)
}
