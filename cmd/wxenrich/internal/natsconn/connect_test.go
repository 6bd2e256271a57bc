package natsconn_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
)

// start runs a server on loopback.
func start(t *testing.T, o server.Options) *server.Server {
	t.Helper()
	o.Host, o.NoLog, o.NoSigs = "127.0.0.1", true, true
	if o.Port == 0 {
		o.Port = server.RANDOM_PORT
	}
	s, err := server.NewServer(&o)
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not start")
	}
	return s
}

func contextFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMerge(t *testing.T) {
	t.Parallel()
	file := natsconn.Settings{URL: "nats://file", Auth: natsconn.Auth{Creds: "file"}, TLS: natsconn.TLS{CA: "file"}, Inbox: "file"}
	for name, c := range map[string]struct{ flags, env, want natsconn.Settings }{
		"file alone": {want: file},
		"env over file": {
			env:  natsconn.Settings{URL: "nats://env"},
			want: natsconn.Settings{URL: "nats://env", Auth: file.Auth, TLS: file.TLS, Inbox: file.Inbox}},
		"flags over env": {
			flags: natsconn.Settings{URL: "nats://flag"}, env: natsconn.Settings{URL: "nats://env"},
			want: natsconn.Settings{URL: "nats://flag", Auth: file.Auth, TLS: file.TLS, Inbox: file.Inbox}},
		"credentials are one thing": {
			flags: natsconn.Settings{Auth: natsconn.Auth{Creds: "flag"}}, env: natsconn.Settings{Auth: natsconn.Auth{User: "u", Password: "p"}},
			want: natsconn.Settings{URL: file.URL, Auth: natsconn.Auth{Creds: "flag"}, TLS: file.TLS, Inbox: file.Inbox}},
		"inbox": {
			flags: natsconn.Settings{Inbox: "flag"},
			want:  natsconn.Settings{URL: file.URL, Auth: file.Auth, TLS: file.TLS, Inbox: "flag"}},
		"password of a flag's user": {
			flags: natsconn.Settings{Auth: natsconn.Auth{User: "u"}}, env: natsconn.Settings{Auth: natsconn.Auth{Password: "p"}},
			want: natsconn.Settings{URL: file.URL, Auth: natsconn.Auth{User: "u", Password: "p"}, TLS: file.TLS, Inbox: file.Inbox}},
		"user alone is a token": {
			flags: natsconn.Settings{Auth: natsconn.Auth{User: "t"}},
			want:  natsconn.Settings{URL: file.URL, Auth: natsconn.Auth{Token: "t"}, TLS: file.TLS, Inbox: file.Inbox}},
		"a chosen context drops the file": {
			env:  natsconn.Settings{Context: "c"},
			want: natsconn.Settings{Context: "c"}},
		"which a flag overrides": {
			flags: natsconn.Settings{URL: "nats://flag"}, env: natsconn.Settings{Context: "c"},
			want: natsconn.Settings{URL: "nats://flag", Context: "c"}},
	} {
		if d := cmp.Diff(c.want, natsconn.Merge(c.flags, c.env, file)); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
	}
}

func TestWhereHidesSecrets(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"":                            "nats://127.0.0.1:4222",
		"nats://u:hush@h:1,tls://i:2": "nats://h:1, tls://i:2",
		"u:hush@h:1":                  "h:1",
		"nats://u:hu/sh@h:1":          "h:1",
		"nats://u:hu@s/h@h:1":         "h:1",
		"nats://u:hu,sh@h:1":          "an unreadable URL, h:1",
		"127.0.0.1:4222":              "127.0.0.1:4222",
		"localhost:4222":              "localhost:4222",
	} {
		if got := (natsconn.Settings{URL: url}).Where(); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
}

// What cannot be read is not repeated either.
func TestUnreadableURLIsNotShown(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"nats://u:hush@127.0.0.1:zz", "nats://u:hu%zzsh@127.0.0.1:1", "nats://u:hu/sh@127.0.0.1:1", "nats://u:hush,x@127.0.0.1:1"} {
		_, err := natsconn.Connect(t.Context(), natsconn.Settings{URL: url}, "test")
		if err == nil || strings.Contains(err.Error(), "hu") || !strings.Contains(err.Error(), "not a URL") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, _ := pair.PublicKey()
	seed, _ := pair.Seed()
	seedFile := filepath.Join(t.TempDir(), "seed")
	if err := os.WriteFile(seedFile, seed, 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, server.Options{
		Users: []*server.User{{Username: "u", Password: "p"}},
		Nkeys: []*server.NkeyUser{{Nkey: public}},
	})
	url := s.ClientURL()
	good := contextFile(t, `{"url":"`+url+`","user":"u","password":"p","inbox_prefix":"_INBOX_mine"}`)
	bad := contextFile(t, `{"url":"nats://127.0.0.1:1","user":"nobody","password":"x"}`)
	for name, c := range map[string]struct {
		s  natsconn.Settings
		ok bool
	}{
		"none":                        {natsconn.Settings{URL: url}, false},
		"user":                        {natsconn.Settings{URL: url, Auth: natsconn.Auth{User: "u", Password: "p"}}, true},
		"wrong password":              {natsconn.Settings{URL: url, Auth: natsconn.Auth{User: "u", Password: "x"}}, false},
		"in the url":                  {natsconn.Settings{URL: strings.Replace(url, "nats://", "nats://u:p@", 1)}, true},
		"nkey":                        {natsconn.Settings{URL: url, Auth: natsconn.Auth{NKey: seedFile}}, true},
		"no nkey file":                {natsconn.Settings{URL: url, Auth: natsconn.Auth{NKey: seedFile + "x"}}, false},
		"context":                     {natsconn.Settings{Context: good}, true},
		"inbox":                       {natsconn.Settings{URL: url, Auth: natsconn.Auth{User: "u", Password: "p"}, Inbox: "_INBOX_u"}, true},
		"inbox with a wildcard":       {natsconn.Settings{URL: url, Auth: natsconn.Auth{User: "u", Password: "p"}, Inbox: "_INBOX.*"}, false},
		"inbox over a context's":      {natsconn.Settings{Context: good, Inbox: "_INBOX_u"}, true},
		"context's url overridden":    {natsconn.Settings{Context: bad, URL: url, Auth: natsconn.Auth{User: "u", Password: "p"}}, true},
		"context's user stays":        {natsconn.Settings{Context: bad, URL: url}, false},
		"nkey over a context's user":  {natsconn.Settings{Context: good, Auth: natsconn.Auth{NKey: seedFile}}, true},
		"no such context":             {natsconn.Settings{Context: "no-such-context"}, false},
		"context outside its folder":  {natsconn.Settings{Context: "../x"}, false},
		"context is not JSON":         {natsconn.Settings{Context: contextFile(t, "{")}, false},
		"context with a JWT":          {natsconn.Settings{Context: contextFile(t, `{"user_jwt":"eyJhbGciOi"}`)}, false},
		"context with a creds scheme": {natsconn.Settings{Context: contextFile(t, `{"creds":"op://vault/x"}`)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nc, err := natsconn.Connect(t.Context(), c.s, "test")
			if (err == nil) != c.ok {
				t.Fatal(err)
			}
			if err != nil {
				if strings.Contains(err.Error(), "eyJ") || strings.Contains(err.Error(), "vault") {
					t.Errorf("the error shows a secret: %v", err)
				}
				if _, gone := errors.AsType[*natsconn.NoServerError](err); gone {
					t.Errorf("refused is taken for nobody there: %v", err)
				}
				return
			}
			defer nc.Close()
			prefix := natsconn.InboxPrefix
			switch {
			case c.s.Inbox != "":
				prefix = c.s.Inbox
			case c.s.Context == good:
				prefix = "_INBOX_mine"
			}
			if inbox := nc.NewInbox(); !strings.HasPrefix(inbox, prefix+".") {
				t.Errorf("inbox %s, want prefix %s", inbox, prefix)
			}
			if got := nc.Opts.MaxReconnect; got != -1 {
				t.Errorf("gives up after %d reconnects", got)
			}
		})
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	_, err := natsconn.Connect(t.Context(), natsconn.Settings{URL: "nats://u:hush@127.0.0.1:1"}, "test")
	if e, ok := errors.AsType[*natsconn.NoServerError](err); !ok || strings.Contains(e.Error(), "hush") {
		t.Errorf("got %v", err)
	}
}

func TestWaitsForAServer(t *testing.T) {
	t.Parallel()
	s := start(t, server.Options{})
	url := s.ClientURL()
	port := s.Addr().String()
	s.Shutdown()
	s.WaitForShutdown()
	waiting := make(chan struct{})
	log := slog.New(notify{slog.DiscardHandler, waiting})
	done := make(chan error, 1)
	go func() {
		nc, err := natsconn.Connect(t.Context(), natsconn.Settings{URL: url, Wait: true, Log: log}, "test")
		if err == nil {
			nc.Close()
		}
		done <- err
	}()
	<-waiting
	var p int
	for _, r := range port[strings.LastIndexByte(port, ':')+1:] {
		p = 10*p + int(r-'0')
	}
	start(t, server.Options{Port: p})
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestWaitsBehindABalancer connects where somebody accepts and hangs up at once, as
// a balancer with no server behind it does, or a server that is just being killed.
func TestWaitsBehindABalancer(t *testing.T) {
	t.Parallel()
	s := start(t, server.Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if n < 2 {
				c.Close()
				continue
			}
			go func() {
				defer c.Close()
				behind, err := net.Dial("tcp", s.Addr().String())
				if err != nil {
					return
				}
				defer behind.Close()
				go func() { _, _ = io.Copy(behind, c) }()
				_, _ = io.Copy(c, behind)
			}()
		}
	}()
	url := "nats://" + l.Addr().String()
	if _, err := natsconn.Connect(t.Context(), natsconn.Settings{URL: url}, "test"); err == nil {
		t.Error("connected to nobody")
	}
	nc, err := natsconn.Connect(t.Context(), natsconn.Settings{URL: url, Wait: true}, "test")
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
}

func TestWaitEndsWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := natsconn.Connect(ctx, natsconn.Settings{URL: "nats://127.0.0.1:1", Wait: true}, "test")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// notify tells when the first record is logged.
type notify struct {
	slog.Handler
	first chan struct{}
}

func (n notify) Enabled(context.Context, slog.Level) bool { return true }

func (n notify) Handle(context.Context, slog.Record) error {
	select {
	case <-n.first:
	default:
		close(n.first)
	}
	return nil
}

func TestExplainsATimeout(t *testing.T) {
	t.Parallel()
	s := start(t, server.Options{Users: []*server.User{{
		Username: "u", Password: "p",
		Permissions: &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"secret.>"}}},
	}}})
	violated := make(chan struct{})
	nc, err := natsconn.Connect(t.Context(), natsconn.Settings{
		URL: s.ClientURL(), Auth: natsconn.Auth{User: "u", Password: "p"}, Log: slog.New(notify{slog.DiscardHandler, violated}),
	}, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.Publish("secret.x", nil); err != nil {
		t.Fatal(err)
	}
	<-violated
	if err := nc.Explain(nats.ErrTimeout); !errors.Is(err, nats.ErrTimeout) || !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("got %v", err)
	}
	other := errors.New("other")
	if err := nc.Explain(other); err != other {
		t.Errorf("got %v", err)
	}
}

// Whoever hears no reply is told so, whatever else is denied after that.
func TestExplainsAnInboxThatIsDenied(t *testing.T) {
	t.Parallel()
	s := start(t, server.Options{Users: []*server.User{{
		Username: "u", Password: "p",
		Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Deny: []string{"secret.>"}},
			Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX_u.>"}},
		},
	}}})
	for inbox, want := range map[string]bool{"": false, "_INBOX_u": true} {
		seen := make(chan string, 10)
		nc, err := natsconn.Connect(t.Context(), natsconn.Settings{
			URL: s.ClientURL(), Auth: natsconn.Auth{User: "u", Password: "p"}, Inbox: inbox, Log: slog.New(slog.NewTextHandler(lines(seen), nil)),
		}, "test")
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if hears, err := nc.MayListen(); err != nil || hears != want {
			t.Errorf("inbox %q: may listen: %v, %v", inbox, hears, err)
		}
		if err := nc.Publish("secret.x", nil); err != nil {
			t.Fatal(err)
		}
		for !strings.Contains(<-seen, "secret.x") {
		}
		if err := nc.Explain(nats.ErrTimeout); strings.Contains(err.Error(), "nats.inbox_prefix") == want || !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("inbox %q: got %v", inbox, err)
		}
	}
}

// lines sends each write.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

func TestPublisherHasNoBuffer(t *testing.T) {
	t.Parallel()
	s := start(t, server.Options{})
	down := make(chan struct{})
	nc, err := natsconn.ConnectPublisher(t.Context(), natsconn.Settings{URL: s.ClientURL(), Log: slog.New(notify{slog.DiscardHandler, down})}, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	s.Shutdown()
	<-down
	if err := nc.Publish("x", []byte("late")); !errors.Is(err, nats.ErrReconnectBufExceeded) {
		t.Errorf("got %v", err)
	}
}

// A server that hangs keeps its connections: only pings without an answer tell,
// and the client's own default would take six minutes.
func TestSilenceIsNoticed(t *testing.T) {
	t.Parallel()
	s := start(t, server.Options{})
	for name, connect := range map[string]func(context.Context, natsconn.Settings, string) (*natsconn.Conn, error){
		"consumer": natsconn.Connect, "publisher": natsconn.ConnectPublisher,
	} {
		nc, err := connect(t.Context(), natsconn.Settings{URL: s.ClientURL(), Log: slog.New(slog.DiscardHandler)}, "test")
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if silence := nc.Opts.PingInterval * time.Duration(nc.Opts.MaxPingsOut+1); silence > 6*time.Second {
			t.Errorf("%s: silence is noticed after %v", name, silence)
		}
	}
}
