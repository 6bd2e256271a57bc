package wxapi

import (
	"fmt"
	"net/http"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/wechat"
)

// transport is the account's way to WeChat: an own one if it names a proxy or
// authorities, else the one that all accounts share.
func transport(a *config.Account, o Options) (http.RoundTripper, error) {
	if o.Transport != nil || a.Proxy == "" && a.CAFile == "" {
		return o.Transport, nil
	}
	proxy, err := a.ProxyURL()
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	authorities, err := a.Authorities()
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	t := wechat.NewTransport()
	t.TLSClientConfig.RootCAs = authorities // nil: the system's
	switch {
	case proxy != nil:
		t.Proxy = http.ProxyURL(proxy)
	case a.Proxy == config.NoProxy:
		t.Proxy = nil
	}
	return t, nil
}
