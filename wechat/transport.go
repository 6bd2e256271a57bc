package wechat

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// NewTransport returns a transport that suits WeChat's API, as a start for an
// own Config.Transport. All clients without one share one of these.
//
// It speaks HTTP/1.1: one connection for each call in flight, so that a slow
// batch of 100 never blocks its neighbours' frames, and because nobody has
// recorded what the service does with HTTP/2. It drops an idle connection after
// 30 s, before the service does; that the service closes idle connections
// unannounced is its users' oldest complaint.
func NewTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		MaxIdleConnsPerHost:    256,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		WriteBufferSize:        16 << 10, // a batch of 100 in one write
		ReadBufferSize:         8 << 10,  // of an answer the head; the body goes past it
	}
}

var sharedTransport = sync.OnceValue(NewTransport)

// lastResponse refuses every redirect: following one would hand the token in
// the query string to another host, or turn a POST into a GET.
func lastResponse(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
