package pipeline_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events/eventstest"
)

// BenchmarkKnownAnswers compares what it costs the server to know which events
// are answered: the ids of a window, beyond which a lane looks back, and a
// subject for each event, of which the server refuses a second message for
// ever. The numbers in pipeline/adr/0004 are of this.
//
//	go test ./pipeline -run '^$' -bench KnownAnswers -benchtime 1x -count 3
func BenchmarkKnownAnswers(b *testing.B) {
	for _, v := range []struct {
		name    string
		stream  jetstream.StreamConfig
		subject func(i int) string
	}{
		{"window-10m", jetstream.StreamConfig{Subjects: []string{"a"}, Duplicates: 10 * time.Minute}, func(int) string { return "a" }},
		{"window-over", jetstream.StreamConfig{Subjects: []string{"a"}, Duplicates: time.Second}, func(int) string { return "a" }},
		{"subject-each", jetstream.StreamConfig{Subjects: []string{"a.*"}, Duplicates: time.Second, MaxMsgsPerSubject: 1, DiscardNewPerSubject: true},
			func(i int) string { return fmt.Sprint("a.", i, "-1732000000000000000") }},
	} {
		b.Run(v.name, func(b *testing.B) {
			v.stream.Name, v.stream.Discard = "S", jetstream.DiscardNew
			for b.Loop() {
				knownAnswers(b, v.stream, v.subject)
			}
		})
	}
}

func knownAnswers(b *testing.B, cfg jetstream.StreamConfig, subject func(int) string) {
	const n = 100_000
	dir := b.TempDir()
	s := eventstest.NewServer(b, eventstest.StoreDir(dir))
	js, err := jetstream.New(s.Connect(), jetstream.WithPublishAsyncMaxPending(4000))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := js.CreateStream(b.Context(), cfg); err != nil {
		b.Fatal(err)
	}
	before, body := heap(), make([]byte, 500)
	began := time.Now()
	for i := range n {
		m := &nats.Msg{Subject: subject(i), Data: body, Header: nats.Header{"Nats-Msg-Id": {fmt.Sprint("WX_EVENTS:", i, ":1732000000000000000")}}}
		if _, err := js.PublishMsgAsync(m, jetstream.WithStallWait(time.Minute)); err != nil {
			b.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	b.ReportMetric(n/time.Since(began).Seconds(), "records/s")
	if cfg.Duplicates < time.Minute {
		time.Sleep(12 * time.Second) // ids are forgotten and caches dropped
	}
	b.ReportMetric(float64(heap()-before)/n, "heap-B/record")

	restart := func(unit string, between func()) {
		s.Stop()
		between()
		began := time.Now()
		s.Start()
		stream, err := s.JetStream().Stream(b.Context(), cfg.Name)
		if err != nil || stream.CachedInfo().State.Msgs != n {
			b.Fatalf("%v, %+v", err, stream)
		}
		b.ReportMetric(float64(time.Since(began).Milliseconds()), unit)
	}
	restart("ms/restart", func() {})
	restart("ms/restart-no-index", func() { // as after a crash, when the index is old
		index := filepath.Join(dir, "jetstream", "$G", "streams", cfg.Name, "msgs", "index.db")
		if err := os.Remove(index); err != nil {
			b.Fatal(err)
		}
	})
	b.ReportMetric(float64(heap()-before)/n, "heap-B/record-restarted")
}

// heap is how many bytes of it are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
