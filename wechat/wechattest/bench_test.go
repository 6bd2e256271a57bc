package wechattest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// BenchmarkBatchGet is the simulator alone, without a network: it stands in
// benchmarks of others and has to be quicker than they are.
func BenchmarkBatchGet(b *testing.B) {
	s := start(b, wechattest.AccountConfig{Followers: 1_000_000})
	token, err := s.tokens.Token(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	ids := make([]string, 100)
	for i := range ids {
		ids[i] = s.OpenID(i * 9973)
	}
	body := `{"user_list":[{"openid":"` + strings.Join(ids, `","lang":"zh_CN"},{"openid":"`) + `","lang":"zh_CN"}]}`
	url := "/cgi-bin/user/info/batchget?access_token=" + token.Reveal()
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		s.srv.ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), http.MethodPost, url, strings.NewReader(body)))
		if w.Body.Len() < 30_000 {
			b.Fatal(w.Body)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
