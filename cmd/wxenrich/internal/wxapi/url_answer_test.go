package wxapi

import (
	"strings"
	"testing"
	"time"
)

// FuzzURLAnswer reads whatever a token server, or a proxy in its place, says: a
// token is one that fits a query and has an end that is still to come, and an
// error repeats nothing of it.
func FuzzURLAnswer(f *testing.F) {
	for _, s := range []string{
		"78_token", `{"access_token":"78_token","expires_in":7200}`, `{"access_token":"t","expires_in":"2030-01-02T03:04:05+08:00"}`,
		`{"access_token":"t","expires_in":1893456000000}`, `{"a":{"b.c":["t"]},"expires_in":null}`, `{"access_token":7}`, "{", "<html>", "",
	} {
		f.Add([]byte(s), "access_token", "expires_in")
	}
	f.Add([]byte(`{"a":{"b":["t"]}}`), "a.b.0", "a.#(b==1)|@reverse")
	asked := time.Unix(1_800_000_000, 0)
	f.Fuzz(func(t *testing.T, body []byte, token, expires string) {
		got, err := tokenAnswer{token: token, expires: expires}.parse(body, asked)
		if err != nil {
			if len(body) >= 16 && strings.Contains(err.Error(), string(body)) {
				t.Errorf("the answer is in %q", err)
			}
			return
		}
		if value := got.Value.Reveal(); value == "" || len(value) > maxToken || strings.ContainsAny(value, " \r\n&<>") {
			t.Errorf("token %q", value)
		}
		if !got.Expires.After(asked) {
			t.Errorf("a token that ends at %v", got.Expires)
		}
	})
}
