package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/big"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wxenrich/wxenrich/events"
)

var typescript = flag.Bool("typescript", false, "run the producer and the consumer of events/ts, after npm ci and npm run build there")

// node runs a program of events/ts to its end.
func node(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	args[0] = filepath.Join("..", "..", "events", "ts", "dist", args[0]+".js")
	ctx, cancel := context.WithTimeout(t.Context(), everything)
	defer cancel()
	c := exec.CommandContext(ctx, "node", args...)
	c.Stdin = strings.NewReader(stdin)
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil || errs.Len() > 0 {
		t.Fatalf("node %v: %v\n%s", args, err, errs.String())
	}
	return string(out)
}

// seen is a record as a consumer saw it, by the message id.
type seen map[string]any

// numbers makes every number comparable, exactly.
func numbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = numbers(v[k])
		}
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case json.Number:
		if r, ok := new(big.Rat).SetString(v.String()); ok {
			return "number " + r.RatString()
		}
	}
	return v
}

// TestTypeScriptReadsWhatGoReads has events made by TypeScript, in both
// encodings, go through the service; of the 10,000 records TypeScript and Go
// must read the same, to the last digit, emoji and absent key.
func TestTypeScriptReadsWhatGoReads(t *testing.T) {
	if !*typescript {
		t.Skip("without -typescript")
	}
	const n = 10_000
	for _, format := range []string{"msgpack", "json"} {
		t.Run(format, func(t *testing.T) {
			w := newWorld(t)
			w.environ = append(w.environ, "WXENRICH_OUTPUT_FORMAT="+format, "WXENRICH_HTTP_LISTEN=", "WXENRICH_INPUT_START=all", "WXENRICH_RECHECK_AFTER=0s")
			for i := range 10 {
				w.account.Unfollow(w.account.OpenID(i))
				id := w.account.OpenID(100 + i)
				w.account.SetRow(id, `{"subscribe":1,"openid":"`+id+`","remark":"大客户 👩‍👩‍👧 \ud83d\ude00","tagid_list":[],"qr_scene":4294967295,`+
					`"new_number":9223372036854775807,"new_object":{"deep":[18446744073709551615,-9007199254740993,1e-7,null,""]}}`)
			}
			js := w.streams(t)
			var openids strings.Builder
			for i := range n / 2 {
				fmt.Fprintln(&openids, w.account.OpenID(i%1000))
			}
			var producers sync.WaitGroup
			for _, in := range []string{"json", "msgpack"} {
				producers.Go(func() {
					if out := node(t, openids.String(), "produce", w.nats.URL(), testAppID, in, "ts-"+in); out != fmt.Sprintf("%d events stored\n", n/2) {
						t.Errorf("produce: %s", out)
					}
				})
			}
			producers.Wait()
			run := w.background(t, "run")
			run.out.waitFor("lane is running")
			theirs := seen{}
			for line := range strings.Lines(node(t, "", "consume", w.nats.URL(), "ts", fmt.Sprint(n))) {
				m := exact(t, []byte(line)).(map[string]any)
				theirs[m["msg_id"].(string)] = numbers(m["record"])
			}

			ours, bigs, unsubscribed := seen{}, 0, 0
			subscriber, err := events.NewSubscriber(t.Context(), js, events.SubscriberConfig{Durable: "go"})
			if err != nil {
				t.Fatal(err)
			}
			ctx, enough := context.WithTimeout(t.Context(), everything)
			defer enough()
			err = subscriber.Run(ctx, func(_ context.Context, d *events.Delivery) error {
				data, err := d.Record.Append(nil, events.JSON)
				if err != nil {
					t.Error(err)
				}
				ours[d.Msg.Headers().Get(events.HeaderMsgID)] = numbers(exact(t, data))
				bigs += bytes.Count(data, []byte("18446744073709551615"))
				if d.Record.Status == events.Unsubscribed {
					unsubscribed++
				}
				if len(ours) == n {
					enough()
				}
				return nil
			})
			if err != nil || len(ours) != n || len(theirs) != n {
				t.Fatalf("Go read %d records, TypeScript %d, want %d: %v", len(ours), len(theirs), n, err)
			}
			if bigs < n/2 || unsubscribed < n/10 {
				t.Errorf("%d integers of 64 bits and %d unsubscribed: the test tests little", bigs, unsubscribed)
			}
			wrong := 0
			for id, want := range ours {
				if diff := cmp.Diff(want, theirs[id]); diff != "" {
					if wrong++; wrong < 3 {
						t.Errorf("%s (-Go +TypeScript):\n%s", id, diff)
					}
				}
			}
			if wrong > 0 {
				t.Errorf("%d records differ", wrong)
			}
			if code := run.end(); code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}
