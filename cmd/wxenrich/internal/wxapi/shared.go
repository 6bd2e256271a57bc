package wxapi

import (
	"fmt"
	"log/slog"
	"net/http"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/wechat"
)

// shared is what an account's calls for data and those for tokens have in
// common: what is learned of a host by one counts for the other.
type shared struct {
	hosts     *wechat.Hosts
	overrides wechat.Overrides
	transport http.RoundTripper
}

func newShared(a *config.Account, o Options) (s shared, err error) {
	s.hosts, err = wechat.NewHosts(logHost(o.log(), a.AppID), append([]string{a.API}, a.APIFallback...)...)
	if err != nil {
		return s, err
	}
	if s.overrides, err = a.Overrides(); err != nil {
		return s, fmt.Errorf("errcodes: %w", err)
	}
	s.transport, err = transport(a, o)
	return s, err
}

// logHost says which host an account's calls go to, each time that changes.
func logHost(log *slog.Logger, appid string) func(wechat.HostChange) {
	return func(c wechat.HostChange) {
		where := []any{slog.String("appid", appid), slog.String("from", c.From), slog.String("to", c.To)}
		if c.Err == nil {
			log.Info("the first WeChat host answers again", where...)
			return
		}
		log.Warn("a WeChat host gives no answer, another one does", append(where, slog.Any("error", c.Err))...)
	}
}
