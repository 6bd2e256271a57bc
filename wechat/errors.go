package wechat

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// Error is a failed call. Its text never holds the access token, the app
// secret or a URL's query string.
type Error struct {
	Op      string // the endpoint, for example "user/info/batchget"
	Class   Class
	Code    int           // WeChat's errcode; 0 when the failure is below it
	Status  int           // HTTP status; 0 when there was no answer
	Message string        // WeChat's errmsg without rid and hint, bounded
	RID     string        // WeChat's request id, for its support
	After   time.Duration // how long the server wishes us to wait; 0 when it does not say
	Err     error         // the cause below, redacted; may be nil
}

// Error returns one line: the endpoint, the code or the status, WeChat's words
// and its request id.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("wechat: ")
	b.WriteString(e.Op)
	if e.Code != 0 {
		fmt.Fprintf(&b, ": errcode %d", e.Code)
	}
	if e.Status != 0 && e.Status != 200 {
		fmt.Fprintf(&b, ": HTTP status %d", e.Status)
	}
	if e.Message != "" {
		b.WriteString(": ")
		b.WriteString(e.Message)
	}
	if e.RID != "" {
		b.WriteString(" (rid ")
		b.WriteString(e.RID)
		b.WriteByte(')')
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause, through which errors.Is reaches context errors and
// errors.AsType a [net.Error].
func (e *Error) Unwrap() error { return e.Err }

// Is compares with a pattern: a target *Error matches when every one of its
// Op, Class, Code and Status that is not zero is equal. So
// errors.Is(err, &Error{Code: 40003}) asks for a code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && (t.Op != "" || t.Class != Unknown || t.Code != 0 || t.Status != 0) &&
		(t.Op == "" || t.Op == e.Op) &&
		(t.Class == Unknown || t.Class == e.Class) &&
		(t.Code == 0 || t.Code == e.Code) &&
		(t.Status == 0 || t.Status == e.Status)
}

// Timeout reports whether the call ran out of time, which a smaller batch may
// cure: the time of a batchget grows with its openids.
func (e *Error) Timeout() bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](e.Err)
	return ok && t.Timeout()
}

// ClassOf returns the class of an error. Of an error that is not from this
// package it knows two kinds: a context that ended and a network failure are
// Transient. Everything else, nil too, is Unknown.
func ClassOf(err error) Class {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return Transient
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return Transient
	}
	return Unknown
}
