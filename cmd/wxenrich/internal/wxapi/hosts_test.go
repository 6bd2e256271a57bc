package wxapi_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/wxapi"
	"github.com/wxenrich/wxenrich/wechat"
)

// The token is fetched from the fallback, and the data after it as well. It is
// said once.
func TestFallbackServesTokensAndData(t *testing.T) {
	t.Parallel()
	account, a := simulator(t)
	a.API, a.APIFallback = "http://127.0.0.1:1", config.List{a.API}
	a.SecretEnv = "S"
	var out bytes.Buffer
	client, err := wxapi.New(a, wxapi.Options{
		Getenv: func(string) string { return "right" },
		Log:    slog.New(slog.NewTextHandler(&out, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ask := func() error {
		_, err := client.UserInfo(t.Context(), wechat.Query{OpenID: account.OpenID(0)})
		return err
	}
	if err := ask(); wechat.ClassOf(err) != wechat.Transient {
		t.Errorf("%v, want the first host's failure", err)
	}
	for range 3 {
		if err := ask(); err != nil {
			t.Error(err)
		}
	}
	said := `level=WARN msg="a WeChat host gives no answer, another one does" appid=` + appid +
		` from=127.0.0.1:1 to=` + strings.TrimPrefix(a.APIFallback[0], "http://") + ` error="wechat: stable_token: `
	if strings.Count(out.String(), "\n") != 1 || !strings.Contains(out.String(), said) {
		t.Errorf("logged\n%swant one line with\n%s", &out, said)
	}
}
