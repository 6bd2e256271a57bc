package events

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events/eventstest"
)

func testSpec() StreamSpec {
	return StreamSpec{Name: "WX_PROFILES", Subjects: []string{"wx.profiles.>"}, Output: true, AllowAtomic: true}
}

func TestEnsureStreamCreates(t *testing.T) {
	t.Parallel()
	js := eventstest.NewServer(t).JetStream()
	stream, drifts, err := EnsureStream(t.Context(), js, testSpec(), Create)
	if err != nil || drifts != nil {
		t.Fatalf("EnsureStream = %v, %v", drifts, err)
	}
	c := stream.CachedInfo().Config
	got := jetstream.StreamConfig{
		Name: c.Name, Subjects: c.Subjects, Storage: c.Storage, Retention: c.Retention, Discard: c.Discard, MaxAge: c.MaxAge,
		MaxBytes: c.MaxBytes, MaxMsgs: c.MaxMsgs, Replicas: c.Replicas, Duplicates: c.Duplicates, Compression: c.Compression,
		AllowDirect: c.AllowDirect, AllowAtomicPublish: c.AllowAtomicPublish, DenyDelete: c.DenyDelete, NoAck: c.NoAck,
	}
	want := jetstream.StreamConfig{
		Name: "WX_PROFILES", Subjects: []string{"wx.profiles.>"}, Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy,
		Discard: jetstream.DiscardNew, MaxAge: 30 * 24 * time.Hour, MaxBytes: -1, MaxMsgs: -1, Replicas: 1,
		Duplicates: 10 * time.Minute, Compression: jetstream.S2Compression, AllowDirect: true, AllowAtomicPublish: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}
	for _, m := range []Manage{Create, Verify, Bind} {
		if _, drifts, err := EnsureStream(t.Context(), js, testSpec(), m); err != nil || len(drifts) > 0 {
			t.Errorf("%s of our own stream = %v, %v", m, drifts, err)
		}
	}
}

func TestEnsureStreamLeavesAlone(t *testing.T) {
	t.Parallel()
	js := eventstest.NewServer(t).JetStream()
	theirs := jetstream.StreamConfig{
		Name: "WX_PROFILES", Subjects: []string{"wx.profiles.one"}, Retention: jetstream.WorkQueuePolicy, Storage: jetstream.MemoryStorage,
		MaxAge: time.Hour, MaxBytes: 1 << 20, Duplicates: time.Minute, NoAck: true, DenyDelete: true, Discard: jetstream.DiscardOld,
	}
	before, err := js.CreateStream(t.Context(), theirs)
	if err != nil {
		t.Fatal(err)
	}
	_, drifts, err := EnsureStream(t.Context(), js, testSpec(), Create)
	if err != nil {
		t.Fatal(err)
	}
	want := []Drift{
		{"WX_PROFILES", "subjects", "wx.profiles.>", "wx.profiles.one", true},
		{"WX_PROFILES", "no_ack", "false", "true", true},
		{"WX_PROFILES", "retention", "limits", "workqueue", true},
		{"WX_PROFILES", "storage", "file", "memory", false},
		{"WX_PROFILES", "discard", "new", "old", false},
		{"WX_PROFILES", "max_age", "720h0m0s", "1h0m0s", false},
		{"WX_PROFILES", "max_bytes", "-1", "1048576", false},
		{"WX_PROFILES", "duplicate_window", "10m0s", "1m0s", false},
		{"WX_PROFILES", "allow_direct", "true", "false", false},
		{"WX_PROFILES", "allow_atomic", "true", "false", false},
		{"WX_PROFILES", "deny_delete", "false", "true", false},
	}
	if diff := cmp.Diff(want, drifts); diff != "" {
		t.Errorf("drifts (-want +got):\n%s", diff)
	}
	if got, want := drifts[2].String(), "stream WX_PROFILES: retention is workqueue, want limits"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
	if _, drifts, err := EnsureStream(t.Context(), js, testSpec(), Bind); err != nil || !cmp.Equal(drifts, want[:3]) {
		t.Errorf("bind = %v, %v, want the fatal ones", drifts, err)
	}
	after, err := js.Stream(t.Context(), "WX_PROFILES")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before.CachedInfo().Config, after.CachedInfo().Config); diff != "" {
		t.Errorf("the stream was changed (-before +after):\n%s", diff)
	}
}

func TestEnsureStreamNarrowerButEnough(t *testing.T) {
	t.Parallel()
	js := eventstest.NewServer(t).JetStream()
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "IN", Subjects: []string{"wx.events.*.subscribe"}, Retention: jetstream.InterestPolicy, AllowDirect: true, MaxAge: DefaultMaxAge, Duplicates: DefaultDuplicates,
	}); err != nil {
		t.Fatal(err)
	}
	spec := StreamSpec{Name: "IN", Subjects: []string{"wx.events.>"}, Must: []string{"wx.events.wx1.subscribe"}}
	_, drifts, err := EnsureStream(t.Context(), js, spec, Verify)
	want := []Drift{
		{"IN", "subjects", "wx.events.>", "wx.events.*.subscribe", false},
		{"IN", "retention", "limits", "interest", false},
	}
	if err != nil || !cmp.Equal(drifts, want) {
		t.Errorf("EnsureStream = %v, %v, want %v", drifts, err, want)
	}
}

func TestEnsureStreamMissing(t *testing.T) {
	t.Parallel()
	js := eventstest.NewServer(t).JetStream()
	for _, m := range []Manage{Verify, Bind} {
		if _, _, err := EnsureStream(t.Context(), js, testSpec(), m); !errors.Is(err, jetstream.ErrStreamNotFound) {
			t.Errorf("%s: error %v, want ErrStreamNotFound", m, err)
		}
	}
	spec := testSpec()
	spec.Subjects = []string{"$JS.API.>"}
	if _, _, err := EnsureStream(t.Context(), js, spec, Create); err == nil {
		t.Error("the server's own subjects were taken")
	}
	spec.Name = "a.b"
	if _, _, err := EnsureStream(t.Context(), js, spec, Create); err == nil {
		t.Error("an invalid name was taken")
	}
}

// Many replicas start at once: one creates, all go on.
func TestEnsureStreamTogether(t *testing.T) {
	t.Parallel()
	s := eventstest.NewServer(t)
	var all sync.WaitGroup
	for range 8 {
		js := s.JetStream()
		all.Go(func() {
			if _, drifts, err := EnsureStream(t.Context(), js, testSpec(), Create); err != nil || len(drifts) > 0 {
				t.Errorf("EnsureStream = %v, %v", drifts, err)
			}
		})
	}
	all.Wait()
}

// A server that comes up later is waited for, until ctx ends.
func TestEnsureStreamInsists(t *testing.T) {
	t.Parallel()
	s := eventstest.NewServer(t)
	js := s.JetStream()
	s.Stop()

	ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, errors.New("out of patience"))
	defer cancel()
	_, _, err := EnsureStream(ctx, js, testSpec(), Create)
	if err == nil || !strings.Contains(err.Error(), "out of patience") || !strings.Contains(err.Error(), "$JS.API.STREAM.INFO.WX_PROFILES") {
		t.Errorf("error %v, want the cause and a hint", err)
	}

	done := make(chan error, 1)
	go func() {
		_, _, err := EnsureStream(t.Context(), js, testSpec(), Create)
		done <- err
	}()
	s.Start()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A request that is never answered, as one before a meta leader exists, must
// not use up the caller's whole time.
func TestEnsureStreamRepeatsUnansweredRequests(t *testing.T) {
	t.Parallel()
	s := eventstest.NewServer(t)
	silent, err := s.Connect().SubscribeSync("$SILENT.STREAM.INFO.WX_PROFILES")
	if err != nil {
		t.Fatal(err)
	}
	if err := silent.SetPendingLimits(-1, -1); err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.NewWithAPIPrefix(s.Connect(), "$SILENT")
	if err != nil {
		t.Fatal(err)
	}
	enough := errors.New("asked twice")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		for range 2 {
			if _, err := silent.NextMsgWithContext(ctx); err != nil {
				return
			}
		}
		cancel(enough)
	}()
	if _, _, err := EnsureStream(ctx, js, testSpec(), Verify); !errors.Is(err, enough) {
		t.Errorf("error %v, want one that wraps the context's cause", err)
	}
}

func TestPassing(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		context.DeadlineExceeded:            true,
		nats.ErrNoResponders:                true,
		jetstream.ErrJetStreamNotEnabled:    true,
		&jetstream.APIError{Code: 503}:      true,
		jetstream.ErrStreamNotFound:         false,
		nats.ErrConnectionClosed:            false,
		net.ErrClosed:                       false,
		&jetstream.APIError{Code: 400}:      false,
		context.Canceled:                    false,
		jetstream.ErrStreamNameAlreadyInUse: false,
	} {
		if got := passing(err); got != want {
			t.Errorf("passing(%v) = %v, want %v", err, got, want)
		}
	}
}

func TestCaptures(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		filter, subject string
		want            bool
	}{
		{"a.b", "a.b", true},
		{"a.>", "a.b", true},
		{"a.>", "a.b.c", true},
		{"a.>", "a.>", true},
		{"a.>", "a", false},
		{">", "a.*", true},
		{"a.*", "a.b", true},
		{"a.*", "a.*", true},
		{"a.*", "a.>", false},
		{"a.b", "a.*", false},
		{"a.*.c", "a.b.c", true},
		{"a.*.c", "a.b.d", false},
		{"a", "a.b", false},
		{"a.b", "a", false},
	} {
		if got := Captures(tt.filter, tt.subject); got != tt.want {
			t.Errorf("Captures(%q, %q) = %v, want %v", tt.filter, tt.subject, got, tt.want)
		}
	}
}

func TestStreamSpecLimits(t *testing.T) {
	t.Parallel()
	c := (&StreamSpec{MaxAge: -1, MaxBytes: 5, Replicas: 3}).Config()
	if c.MaxAge != 0 || c.MaxBytes != 5 || c.Replicas != 3 || c.Duplicates != DefaultDuplicates {
		t.Errorf("config = %+v", c)
	}
	if c := (&StreamSpec{MaxAge: time.Minute}).Config(); c.Duplicates != time.Minute {
		t.Errorf("duplicate window %v above MaxAge, which the server refuses", c.Duplicates)
	}
	for _, s := range []string{"create", "verify", "bind"} {
		if m, err := ParseManage(s); err != nil || string(m) != s {
			t.Errorf("ParseManage(%q) = %q, %v", s, m, err)
		}
	}
	if _, err := ParseManage("update"); err == nil {
		t.Error("ParseManage took update")
	}
}
