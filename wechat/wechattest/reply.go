package wechattest

import (
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/tidwall/gjson"
)

// reply is what goes back.
type reply struct {
	status  int // 0 means 200
	code    int // errcode, for the statistics and the message
	text    string
	quoted  bool // errcode as a string
	body    []byte
	html    bool
	abort   bool          // end the connection without an answer
	reset   bool          // the same, with a TCP reset
	cut     int           // bytes of the body to send before the connection ends; 0 for all
	lasting time.Duration // to send the body in
}

func ok(body []byte) *reply { return &reply{body: body} }

func fail(code int) *reply { return failWith(code, errmsgs[code]) }

func failWith(code int, text string) *reply { return &reply{code: code, text: text} }

// errmsgs is the service's wording. Programs must not rely on it.
var errmsgs = map[int]string{
	-1:    "system error",
	40001: "invalid credential, access_token is invalid or not latest",
	40002: "invalid grant_type",
	40003: "invalid openid",
	40013: "invalid appid",
	40031: "invalid openid list",
	40032: "invalid openid list size",
	40035: "invalid parameter",
	40066: "invalid url",
	41001: "access_token missing",
	41002: "appid missing",
	41004: "appsecret missing",
	41009: "missing openid",
	42001: "access_token expired",
	43001: "require GET method",
	43002: "require POST method",
	44002: "empty post data",
	45009: "reach max api daily quota limit",
	45011: "api minute-quota reach limit, must slower, retry next minute",
	47001: "data format error",
	48001: "api unauthorized",
	48006: "forbid to clear quota because of reaching the limit",
	76021: "cgi_path not found",
}

// send writes a reply, well or badly.
func (s *Server) send(w http.ResponseWriter, r *http.Request, rep *reply) {
	if rep.reset {
		reset(w)
	}
	if rep.abort || rep.reset {
		panic(http.ErrAbortHandler)
	}
	body := rep.body
	if body == nil && rep.code != 0 {
		body = s.appendError(nil, rep)
	}
	h := w.Header()
	h["Content-Type"] = contentJSON
	if rep.html {
		h.Set("Content-Type", "text/html")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if rep.status != 0 {
		w.WriteHeader(rep.status)
	}
	if rep.cut > 0 && rep.cut < len(body) {
		w.Write(body[:rep.cut])
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	if rep.lasting == 0 {
		w.Write(body)
		return
	}
	const pieces = 10
	for i := range pieces {
		if !wait(r, rep.lasting/pieces) {
			panic(http.ErrAbortHandler)
		}
		w.Write(body[i*len(body)/pieces : (i+1)*len(body)/pieces])
		http.NewResponseController(w).Flush()
	}
}

// contentJSON is the live service's header, with its misnamed charset.
var contentJSON = []string{"application/json; encoding=utf-8"}

// appendError appends an error as in life: the request id is part of the text.
func (s *Server) appendError(b []byte, rep *reply) []byte {
	b = append(b, `{"errcode":`...)
	if rep.quoted {
		b = append(b, '"')
	}
	b = appendInt(b, rep.code)
	if rep.quoted {
		b = append(b, '"')
	}
	b = append(b, `,"errmsg":`...)
	text := rep.text
	if text == "" {
		text = "error"
	}
	h := mix(s.nextRID.Add(1))
	rid := strconv.FormatUint(h>>32|1<<31, 16) + "-" + strconv.FormatUint(h&0xffffffff|1<<31, 16)
	b = gjson.AppendJSONString(b, text+" rid: "+rid)
	return append(b, '}')
}

// reset ends a TCP connection with RST, any other at once.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// wait waits unless the client goes away first.
func wait(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func appendInt(b []byte, n int) []byte { return strconv.AppendInt(b, int64(n), 10) }
