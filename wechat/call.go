package wechat

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// wire is what the calls of [Client] and [Tokens] have in common: one HTTP
// request, one answer, one verdict.
type wire struct {
	hosts     *Hosts
	http      http.Client
	timeout   time.Duration
	maxBody   int64
	userAgent string
	tracer    trace.Tracer
	onCall    func(CallInfo)
	overrides Overrides
}

// call is one request.
type call struct {
	kind    Kind
	method  string
	op      string
	query   string // encoded; holds the token or the secret
	body    []byte
	openids int
	hide    secrets
}

// do makes the call and returns the checked JSON object of a successful answer,
// having called field at each of its top-level members: twice, if it had to be
// mended. An error is an *Error.
func (w *wire) do(ctx context.Context, c call, field func(key string, c *cursor)) (doc string, err error) {
	start := time.Now()
	path := "/cgi-bin/" + c.op
	choice, host := w.hosts.choose(start)
	ctx, span := w.tracer.Start(ctx, c.method+" "+path, trace.WithSpanKind(trace.SpanKindClient))
	describe(span, host, c.method, path, c.openids)

	info := CallInfo{Op: c.op, Host: host.name, Openids: c.openids}
	doc, info.Status, err = w.attempt(ctx, c, host.base+path, field)
	if e, ok := err.(*Error); ok {
		e.Op = c.op
		info.Code, info.Class, info.Err = e.Code, e.Class, e
	}
	info.Duration = time.Since(start)
	w.hosts.ended(ctx, choice, err, start.Add(info.Duration))
	finish(span, info)
	if w.onCall != nil {
		w.onCall(info)
	}
	return doc, err
}

func (w *wire) attempt(ctx context.Context, c call, address string, field func(string, *cursor)) (string, int, error) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, c.method, address, bytes.NewReader(c.body))
	if err != nil {
		return "", 0, &Error{Class: Bug, Err: c.hide.cause(ctx, err)}
	}
	req.URL.RawQuery = c.query
	req.Header.Set("User-Agent", w.userAgent)
	if c.method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
		// Not sent, but it tells net/http that a POST which dies on a reused
		// connection may be sent again on a new one: all our calls are reads.
		req.Header["X-Idempotency-Key"] = []string{}
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return "", 0, unanswered(0, c.hide.cause(ctx, err))
	}
	defer resp.Body.Close()

	buf := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buf)
	buf.Reset()
	_, err = buf.ReadFrom(io.LimitReader(resp.Body, w.maxBody+1))
	if resp.StatusCode/100 != 2 {
		return "", resp.StatusCode, statusError(w.overrides, c, resp, buf.Bytes())
	}
	if err == nil && int64(buf.Len()) > w.maxBody {
		err = fmt.Errorf("body larger than %d bytes", w.maxBody)
	}
	if err != nil {
		return "", resp.StatusCode, unanswered(resp.StatusCode, c.hide.cause(ctx, fmt.Errorf("read body: %w", err)))
	}
	var code int64
	var msg string
	doc, err := readBody(buf.Bytes(), func(key string, c *cursor) {
		switch key {
		case "errcode":
			code = integer(c.raw())
		case "errmsg":
			msg = text(c.raw())
		default:
			field(key, c)
		}
	})
	if err != nil {
		return "", resp.StatusCode, unanswered(resp.StatusCode, err)
	}
	if code != 0 {
		e := codeError(w.overrides, c, int(code), msg)
		e.Status = resp.StatusCode
		return "", resp.StatusCode, e
	}
	return doc, resp.StatusCode, nil
}

// buffers holds bodies while they are read; what leaves this file is a copy.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// init checks and fills in what [Config] and [TokenConfig] share.
func (w *wire) init(base string, rt http.RoundTripper, p trace.TracerProvider) error {
	if rt == nil {
		rt = sharedTransport()
	}
	if w.userAgent == "" {
		w.userAgent = "wxenrich"
	}
	w.http = http.Client{Transport: rt, CheckRedirect: lastResponse}
	w.tracer = newTracer(p)
	switch {
	case w.hosts == nil:
		one, err := parseHost(cmp.Or(base, DefaultBaseURL))
		if err != nil {
			return fmt.Errorf("BaseURL: %w", err)
		}
		w.hosts = &Hosts{all: []host{one}, failover: failover{n: 1}}
	case base != "":
		return errors.New("BaseURL: set beside Hosts, want one of them")
	}
	return nil
}
