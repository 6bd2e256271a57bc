package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events/eventstest"
	"github.com/wxenrich/wxenrich/pipeline/gateway"
	"github.com/wxenrich/wxenrich/pipeline/scan"
	"github.com/wxenrich/wxenrich/wechat/push"
)

// TestTenMinuteOutage takes the server away for ten minutes, five times as long
// as the stream knows a repeat by its id, while a follow comes every two seconds and
// every third comes twice: all are taken at once, and afterwards the stream has
// each one once, in order.
func TestTenMinuteOutage(t *testing.T) {
	eventstest.Bubble(t, func(t *testing.T, server *eventstest.Server) {
		const outage, window, pause = 10 * time.Minute, 2 * time.Minute, 2 * time.Second
		nc := server.Connect(nats.ReconnectBufSize(-1))
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "WX_EVENTS", Subjects: []string{"wx.events.>"}, Duplicates: window}); err != nil {
			t.Fatal(err)
		}
		s := openSpool(t, t.TempDir(), 0)
		g, err := gateway.New(gateway.Config{
			Accounts: []gateway.Account{account(t, appid, gh)}, Path: "/wechat", JS: publisher{js, nc}, Spool: s, Window: func() time.Duration { return window },
			Look: func(ctx context.Context, subject string, since time.Time, visit func(string)) error {
				return gateway.Look(ctx, js, subject, since, visit)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		running(t, g)
		p := pusher(t, appid, push.SafeMode)
		sent := 0
		follows := func(d time.Duration) {
			t.Helper()
			for range d / pause {
				for range 1 + (sent%3)/2 {
					values, body, err := p.Push([]byte(event(gh, openid, "subscribe", sent)), time.Now())
					if err != nil {
						t.Fatal(err)
					}
					rec, began := httptest.NewRecorder(), time.Now()
					g.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/wechat?"+values.Encode(), strings.NewReader(string(body))))
					if took := time.Since(began); rec.Code != 200 || rec.Body.String() != "success" || took > 5*time.Second {
						t.Fatalf("push %d: %d %s after %v", sent, rec.Code, rec.Body, took)
					}
				}
				sent++
				time.Sleep(pause)
			}
		}
		follows(20 * time.Second)
		server.Stop()
		follows(outage)
		if n := s.Len(); n < int(outage/pause) {
			t.Errorf("%d pushes in the spool", n)
		}
		server.Start()
		follows(time.Minute)
		for limit := time.Now().Add(10 * time.Minute); s.Len() > 0; time.Sleep(time.Second) {
			if time.Now().After(limit) {
				t.Fatalf("%d pushes are left in the spool", s.Len())
			}
		}
		var got []string
		if err := scan.Read(t.Context(), js, scan.Span{Stream: "WX_EVENTS", End: uint64(2 * sent)}, func(m jetstream.Msg, _ *jetstream.MsgMetadata) bool {
			got = append(got, strings.Split(m.Headers().Get("Nats-Msg-Id"), "|")[3])
			return true
		}); err != nil {
			t.Fatal(err)
		}
		var want []string
		for i := range sent {
			want = append(want, fmt.Sprint(1_700_000_000+i))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d events for %d follows", len(got), len(want))
		}
	})
}
