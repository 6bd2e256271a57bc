package wechat

import (
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// maxMessage bounds Error.Message, in bytes.
const maxMessage = 200

// codeError is the verdict on an errcode.
func codeError(o Overrides, c call, code int, msg string) *Error {
	e := &Error{Op: c.op, Code: code}
	e.Class, _ = o.classify(c.kind, code)
	if row, ok := Lookup(c.kind, code); ok && row.Class == e.Class {
		e.After = row.After
	}
	// Scrubbed before it is split, half a secret would not be found any more,
	// and after: what was in two parts may have become one. Cut at last.
	e.Message, e.RID = splitMessage(c.hide.scrub(msg))
	e.Message = bounded(c.hide.scrub(e.Message))
	return e
}

// statusError is the verdict on an HTTP status that is not 2xx. An errcode in
// the body that is known says more than the status.
func statusError(o Overrides, c call, resp *http.Response, body []byte) *Error {
	e := &Error{Class: LookupStatus(resp.StatusCode).Class, Message: http.StatusText(resp.StatusCode)}
	if doc, err := checkBody(body); err == nil {
		code := integer(gjson.Get(doc, "errcode").Raw)
		if _, known := o.classify(c.kind, int(code)); known {
			e = codeError(o, c, int(code), gjson.Get(doc, "errmsg").Str)
		}
	}
	e.Status = resp.StatusCode
	e.After = max(e.After, retryAfter(resp.Header.Get("Retry-After"), time.Now()))
	return e
}

// unanswered is the verdict on a call that brought no answer, or with a status
// of 2xx one that cannot be used.
func unanswered(status int, err error) *Error {
	return &Error{Class: LookupStatus(status).Class, Status: status, Err: err}
}

// retryAfter reads the header: seconds or a date. Nothing beyond a day is
// believed.
func retryAfter(header string, now time.Time) time.Duration {
	const most = 24 * time.Hour
	if s, err := strconv.Atoi(header); err == nil {
		return min(time.Duration(min(max(s, 0), 1<<20))*time.Second, most)
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(at.Sub(now), 0), most)
	}
	return 0
}

// splitMessage splits an errmsg such as
//
//	invalid openid hint: [abc] rid: 617682e0-09059ac5-34a8e2ea
//
// into its text, in one line, and the request id, which differs
// with every call and so would spoil any grouping.
func splitMessage(msg string) (text, rid string) {
	if i := strings.LastIndex(msg, "rid:"); i >= 0 && (i == 0 || strings.IndexByte(" ,;", msg[i-1]) >= 0) {
		rid = strings.TrimSpace(msg[i+len("rid:"):])
		if end := strings.IndexFunc(rid, func(r rune) bool {
			return r != '-' && !('0' <= r && r <= '9') && !('a' <= r && r <= 'z') && !('A' <= r && r <= 'Z')
		}); end >= 0 {
			rid = rid[:end]
		}
		rid = rid[:min(len(rid), 64)]
		msg = msg[:i]
	}
	if i := strings.Index(msg, "hint:"); i >= 0 {
		if end := strings.IndexByte(msg[i:], ']'); end >= 0 {
			msg = msg[:i] + msg[i+end+1:]
		} else {
			msg = msg[:i]
		}
	}
	msg = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(msg, "\uFFFD"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
	return strings.TrimRight(msg, " ,;"), rid
}

// bounded cuts a message that is too long between two characters.
func bounded(msg string) string {
	if len(msg) <= maxMessage {
		return msg
	}
	cut := maxMessage
	for !utf8.RuneStart(msg[cut]) {
		cut--
	}
	return msg[:cut] + "…"
}
