package gateway_test

import (
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events/eventstest"
	"github.com/wxenrich/wxenrich/pipeline/gateway"
	"github.com/wxenrich/wxenrich/wechat/push"
)

// BenchmarkSafePushes sends pushes in safe mode at an even 1,000 a second,
// whatever becomes of the earlier ones, over loopback sockets to a gateway in
// front of a NATS server on disk, all in this process. The bodies are made
// before. Each push counts from the time at which it was due.
func BenchmarkSafePushes(b *testing.B) {
	const perSecond = 1000
	s := eventstest.NewServer(b)
	nc := s.Connect(nats.ReconnectBufSize(-1))
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := js.CreateStream(b.Context(), jetstream.StreamConfig{Name: "WX_EVENTS", Subjects: []string{"wx.events.>"}, Duplicates: time.Minute}); err != nil {
		b.Fatal(err)
	}
	g, err := gateway.New(gateway.Config{Accounts: []gateway.Account{account(b, appid, gh)}, Path: "/wechat", JS: publisher{js, nc}})
	if err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: g}
	go server.Serve(l)
	b.Cleanup(func() { _ = server.Close() })
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	b.Cleanup(client.CloseIdleConnections)

	type made struct{ url, body string }
	all := make([]made, b.N)
	p := pusher(b, appid, push.SafeMode)
	for i := range all {
		values, body, err := p.Push([]byte(event(gh, openid, "subscribe", i)), time.Now())
		if err != nil {
			b.Fatal(err)
		}
		all[i] = made{"http://" + l.Addr().String() + "/wechat?" + values.Encode(), string(body)}
	}
	took := make([]time.Duration, b.N)
	var wg sync.WaitGroup
	b.ResetTimer()
	began := time.Now()
	for i, m := range all {
		due := began.Add(time.Duration(i) * time.Second / perSecond)
		time.Sleep(time.Until(due))
		wg.Go(func() {
			resp, err := client.Post(m.url, "text/xml", strings.NewReader(m.body))
			if err != nil {
				b.Error(err)
				return
			}
			text, err := io.ReadAll(resp.Body)
			if resp.Body.Close(); err != nil || string(text) != push.Success {
				b.Errorf("%s %s, %v", resp.Status, text, err)
			}
			took[i] = time.Since(due)
		})
	}
	wg.Wait()
	elapsed := time.Since(began)
	b.StopTimer()
	slices.Sort(took)
	for _, q := range []struct {
		name string
		of   float64
	}{{"p50-ms", .5}, {"p99-ms", .99}, {"max-ms", 1}} {
		b.ReportMetric(float64(took[int(q.of*float64(b.N-1))].Microseconds())/1000, q.name)
	}
	b.ReportMetric(float64(b.N)/elapsed.Seconds(), "pushes/s")
	stream, err := js.Stream(b.Context(), "WX_EVENTS")
	if err != nil {
		b.Fatal(err)
	}
	if n := stream.CachedInfo().State.Msgs; n != uint64(b.N) {
		b.Errorf("%d events for %d pushes", n, b.N)
	}
}

// BenchmarkOpen is what signature, decryption and parsing of one push cost.
func BenchmarkOpen(b *testing.B) {
	a := account(b, appid, gh)
	values, body, err := pusher(b, appid, push.SafeMode).Push([]byte(event(gh, openid, "subscribe", 1)), time.Now())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		q, err := push.ParseQuery(values)
		if err != nil {
			b.Fatal(err)
		}
		e, err := push.ParseEnvelope(body)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := a.Receiver.Open(q, e, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}
