package natsconn

import (
	"cmp"
	"log/slog"
	"net/url"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/spf13/pflag"
)

// DefaultURL is where a server is looked for when nobody says.
const DefaultURL = nats.DefaultURL

// Settings says where and as whom to connect.
type Settings struct {
	URL     string // one server, or several separated by commas; default DefaultURL, or the context's
	Context string // name of a context, or a path that ends in .json
	Auth    Auth
	TLS     TLS
	Inbox   string // prefix of the subjects that replies come to; default the context's, else InboxPrefix

	// InProcess is an embedded server; URL and Context are not used then.
	InProcess nats.InProcessConnProvider
	Wait      bool         // a service waits for its server until the context ends
	Log       *slog.Logger // default: nothing is logged
}

// Auth is at most one way to say who we are.
type Auth struct {
	Creds    string // file
	NKey     string // file with a seed
	User     string
	Password string
	Token    string
}

// TLS is files in PEM; all may be empty.
type TLS struct{ CA, Cert, Key string }

// Register adds the nats CLI's flags; they fill the returned settings.
func Register(f *pflag.FlagSet) *Settings {
	s := new(Settings)
	f.StringVarP(&s.URL, "server", "s", "", "NATS server URL (NATS_URL)")
	f.StringVar(&s.Context, "context", "", "nats CLI context: a name, or a path that ends in .json (NATS_CONTEXT)")
	f.StringVar(&s.Auth.Creds, "creds", "", "NATS credentials file (NATS_CREDS)")
	f.StringVar(&s.Auth.NKey, "nkey", "", "NATS nkey seed file (NATS_NKEY)")
	f.StringVar(&s.Auth.User, "user", "", "NATS user, or token when there is no password (NATS_USER)")
	f.StringVar(&s.Auth.Password, "password", "", "NATS password; rather use NATS_PASSWORD, others can see a flag")
	f.StringVar(&s.Inbox, "inbox-prefix", "", "prefix of the subjects that replies come to, if the user may listen to no other")
	f.StringVar(&s.TLS.CA, "tlsca", "", "PEM file with the authorities to trust (NATS_CA)")
	f.StringVar(&s.TLS.Cert, "tlscert", "", "PEM file with the client's certificate (NATS_CERT)")
	f.StringVar(&s.TLS.Key, "tlskey", "", "PEM file with the client's key (NATS_KEY)")
	return s
}

// Env reads the nats CLI's variables.
func Env(getenv func(string) string) Settings {
	return Settings{
		URL: getenv("NATS_URL"), Context: getenv("NATS_CONTEXT"),
		Auth: Auth{getenv("NATS_CREDS"), getenv("NATS_NKEY"), getenv("NATS_USER"), getenv("NATS_PASSWORD"), getenv("NATS_TOKEN")},
		TLS:  TLS{getenv("NATS_CA"), getenv("NATS_CERT"), getenv("NATS_KEY")},
	}
}

// Merge lays the flags over the environment over the configuration file.
func Merge(flags, env, file Settings) Settings {
	if cmp.Or(flags.Context, env.Context) != "" {
		file = Settings{}
	}
	if flags.Auth.User != "" && flags.Auth.Password == "" {
		flags.Auth.Password = env.Auth.Password // the proper place for it
	}
	out := Settings{
		URL:     cmp.Or(flags.URL, env.URL, file.URL),
		Context: cmp.Or(flags.Context, env.Context, file.Context),
		Auth:    cmp.Or(flags.Auth, env.Auth, file.Auth),
		TLS:     cmp.Or(flags.TLS, env.TLS, file.TLS),
		Inbox:   cmp.Or(flags.Inbox, file.Inbox),
	}
	if out.Auth.User != "" && out.Auth.Password == "" && out.Auth.Token == "" {
		out.Auth.User, out.Auth.Token = "", out.Auth.User
	}
	return out
}

// Where names the server for a person, without users and passwords.
func (s Settings) Where() string {
	switch {
	case s.InProcess != nil:
		return "the embedded server"
	case s.URL == "" && s.Context != "":
		return "context " + s.Context
	}
	var out []string
	for u := range strings.SplitSeq(cmp.Or(s.URL, DefaultURL), ",") {
		out = append(out, bare(strings.TrimSpace(u)))
	}
	return strings.Join(out, ", ")
}

func bare(server string) string {
	u, err := url.Parse(server)
	if i := strings.LastIndexByte(server, '@'); i >= 0 && (err != nil || u.Host == "" || strings.Contains(u.Path, "@")) {
		return server[i+1:] // a password may hold what it should not
	}
	switch {
	case err != nil && strings.Contains(server, "://"):
		return "an unreadable URL" // a comma in a password cuts it in two
	case err != nil || u.Host == "":
		return server
	}
	u.User, u.RawQuery = nil, ""
	return u.String()
}
