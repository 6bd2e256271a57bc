package wechat_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/wxenrich/wxenrich/wechat"
)

func TestSpan(t *testing.T) {
	t.Parallel()
	w := newWatch(t)
	var base string
	client := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"errcode":40003,"errmsg":"invalid openid"}`)
	},
		func(cfg *wechat.Config) { cfg.TracerProvider, base = w.provider, cfg.BaseURL })
	client.BatchGet(t.Context(), someQueries(3))
	spans := w.recorder.Ended()
	if len(spans) != 1 {
		t.Fatalf("%d spans, want 1", len(spans))
	}
	got := make(map[string]string)
	for _, a := range spans[0].Attributes() {
		got[string(a.Key)] = a.Value.String()
	}
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"http.request.method": "POST", "http.response.status_code": "200", "url.template": "/cgi-bin/user/info/batchget", "url.full": base + "/cgi-bin/user/info/batchget",
		"server.address": u.Hostname(), "server.port": u.Port(), "wechat.errcode": strconv.Itoa(40003),
		"wechat.openids": "3", "error.type": "bad_openid",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if s := spans[0]; s.Name() != "POST /cgi-bin/user/info/batchget" || s.SpanKind() != trace.SpanKindClient || s.Status().Code != codes.Error {
		t.Errorf("span %q, kind %v, status %v", s.Name(), s.SpanKind(), s.Status())
	}
}
