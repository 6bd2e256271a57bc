package events

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// StreamSpec is how we would make a stream. Of one that exists it only says
// what to compare.
type StreamSpec struct {
	Name     string
	Subjects []string // what it listens to when we create it
	Must     []string // subjects it has to capture, or we cannot work; empty means Subjects

	// Output says that we publish to the stream, and that its memory of
	// message ids is what makes a repeat harmless.
	Output bool
	// AllowAtomic lets clients publish in atomic batches (nats-server 2.12).
	AllowAtomic bool

	MaxAge     time.Duration // 0 means 30 days; negative is for ever
	MaxBytes   int64         // 0 or negative is no limit
	Replicas   int           // 0 means 1
	Duplicates time.Duration // 0 means 10 minutes; not above MaxAge
}

// Defaults of a StreamSpec.
const (
	DefaultMaxAge     = 30 * 24 * time.Hour
	DefaultDuplicates = 10 * time.Minute
)

// Config is the stream as we would make it. There is no DenyDelete: erasing a
// person must stay possible.
func (s *StreamSpec) Config() jetstream.StreamConfig {
	c := jetstream.StreamConfig{
		Name:               s.Name,
		Subjects:           s.Subjects,
		Storage:            jetstream.FileStorage,
		Retention:          jetstream.LimitsPolicy,
		Discard:            jetstream.DiscardNew,
		MaxAge:             s.MaxAge,
		MaxBytes:           s.MaxBytes,
		MaxMsgs:            -1,
		MaxMsgsPerSubject:  -1,
		MaxMsgSize:         -1,
		Replicas:           max(1, s.Replicas),
		Duplicates:         s.Duplicates,
		Compression:        jetstream.S2Compression,
		AllowDirect:        true,
		AllowAtomicPublish: s.AllowAtomic,
	}
	if c.MaxAge == 0 {
		c.MaxAge = DefaultMaxAge
	}
	c.MaxAge = max(0, c.MaxAge)
	if c.MaxBytes <= 0 {
		c.MaxBytes = -1
	}
	if c.Duplicates == 0 {
		c.Duplicates = DefaultDuplicates
		if c.MaxAge > 0 {
			c.Duplicates = min(c.Duplicates, c.MaxAge)
		}
	}
	return c
}

// Manage says what we may do about streams.
type Manage string

// The ways to manage streams. None of them changes a stream that exists.
const (
	Create Manage = "create" // make it if it is missing, report every drift
	Verify Manage = "verify" // it must exist; report every drift
	Bind   Manage = "bind"   // it must exist and is somebody else's: report only what we cannot work with
)

// ParseManage reads a Manage as a configuration file names it.
func ParseManage(s string) (Manage, error) {
	switch m := Manage(s); m {
	case Create, Verify, Bind:
		return m, nil
	}
	return "", fmt.Errorf("events: unknown manage %q: want create, verify or bind", s)
}

// How long one request may take and how soon it is repeated. A request that
// reaches a cluster before it has a meta leader is never answered, nor queued:
// one long wait would be in vain.
const (
	requestTimeout = 1500 * time.Millisecond
	requestPause   = 200 * time.Millisecond
)

// EnsureStream finds the stream, or makes it if m allows. It never changes a
// stream that exists: that is an operator's decision, and an update by our
// settings would silently reset theirs. How it differs from the spec is told
// by the drifts; a fatal one is no error here, but nobody should go on with it.
//
// The error wraps jetstream.ErrStreamNotFound when it is missing and m is not
// Create. Requests are repeated until ctx ends, which gives an error that wraps
// its cause and the last fault.
func EnsureStream(ctx context.Context, js jetstream.JetStream, spec StreamSpec, m Manage) (jetstream.Stream, []Drift, error) {
	if !ValidStreamName(spec.Name) {
		return nil, nil, fmt.Errorf("events: stream name %q: want no white space, none of . * > / \\ and no leading \"dead:\"", spec.Name)
	}
	for {
		stream, err := insist(ctx, spec.Name, "INFO", func(ctx context.Context) (jetstream.Stream, error) {
			return js.Stream(ctx, spec.Name)
		})
		if err == nil {
			return stream, spec.drifts(stream.CachedInfo().Config, m), nil
		}
		if m != Create || !errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil, nil, err
		}
		stream, err = insist(ctx, spec.Name, "CREATE", func(ctx context.Context) (jetstream.Stream, error) {
			return js.CreateStream(ctx, spec.Config())
		})
		if err == nil {
			return stream, nil, nil
		}
		if !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // else another replica was quicker
			return nil, nil, err
		}
	}
}

// insist repeats a request until it is answered for good or ctx ends.
func insist(ctx context.Context, name, verb string, request func(context.Context) (jetstream.Stream, error)) (jetstream.Stream, error) {
	for {
		try, cancel := context.WithTimeout(ctx, requestTimeout)
		stream, err := request(try)
		cancel()
		if err == nil {
			return stream, nil
		}
		if !passing(err) && ctx.Err() == nil {
			return nil, fmt.Errorf("events: stream %s: %w", name, err)
		}
		pause := time.NewTimer(requestPause)
		select {
		case <-ctx.Done():
			pause.Stop()
			return nil, fmt.Errorf("events: stream %s: no answer (is JetStream on, and may this user publish to $JS.API.STREAM.%s.%s?): %w; last: %w",
				name, verb, name, context.Cause(ctx), err)
		case <-pause.C:
		}
	}
}

// passing reports whether a request may succeed if it is repeated.
func passing(err error) bool {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return api.Code == 503 && api.ErrorCode != jetstream.JSErrCodeJetStreamNotEnabledForAccount
	}
	for _, fault := range [...]error{
		context.DeadlineExceeded, nats.ErrTimeout, nats.ErrNoResponders, nats.ErrDisconnected,
		nats.ErrConnectionReconnecting, nats.ErrReconnectBufExceeded, jetstream.ErrJetStreamNotEnabled,
	} {
		if errors.Is(err, fault) {
			return true
		}
	}
	return false
}
