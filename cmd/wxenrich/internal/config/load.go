package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// DefaultFile is read when nobody names a file and it exists.
const DefaultFile = "wxenrich.yaml"

// Options says what Load reads.
type Options struct {
	Path     string   // the file; empty for EnvConfig's, else DefaultFile if it exists
	Environ  []string // "NAME=value" as os.Environ gives it
	Accounts bool     // at least one account must be there, or accounts_dir

	leaveOut map[string]bool // files of accounts_dir not to read, whose accounts stay as they run
	running  *Config         // in effect, and not to be disturbed by what is wrong: see Reload; nil at a start
}

// Default is the configuration without a file and without variables.
func Default() *Config {
	c := &Config{origins: map[string]Origin{}, Outputs: make([]Output, 1)}
	setDefaults(reflect.ValueOf(c).Elem())
	return c
}

// Load reads, merges and checks. Its error is Faults and holds all of them; the
// configuration is returned with it as far as it could be read, so that both
// can be shown.
func Load(o Options) (*Config, error) {
	l := load(o)
	if len(l.faults) > 0 {
		return l.cfg, l.faults
	}
	return l.cfg, nil
}

func load(o Options) *loader {
	l := &loader{cfg: Default(), running: o.running, leaveOut: o.leaveOut, environ: map[string]string{}, used: map[string]bool{}}
	for _, kv := range o.Environ {
		if name, value, ok := strings.Cut(kv, "="); ok {
			l.environ[name] = value
			l.names = append(l.names, name)
		}
	}
	slices.Sort(l.names)
	if path := l.path(o.Path); path != "" {
		l.file(path)
	}
	l.envOutputs()
	l.env()
	if l.cfg.AccountsDir != "" {
		l.accountDir(l.cfg.AccountsDir)
	}
	l.envAccounts()
	l.readAccounts()
	l.unknownVars()
	l.settlePublish()
	l.check(o.Accounts && l.cfg.AccountsDir == "")
	return l
}

// loader is what one Load knows.
type loader struct {
	cfg      *Config
	leaveOut map[string]bool // see Options
	running  *Config         // the same
	environ  map[string]string
	names    []string        // of environ, sorted
	used     map[string]bool // names of environ that are ours
	source   string          // file being read
	accounts []accountSource
	faults   Faults
	sections map[string]bool // see overrides
}

// accountSource is where an account is written; file is empty for one that only
// the environment knows.
type accountSource struct {
	file string
	node *yaml.Node
	dir  bool // the file is one of accounts_dir
}

func (l *loader) path(given string) string {
	if given == "" {
		given = l.environ[EnvConfig]
	}
	if given == "" {
		if _, err := os.Stat(DefaultFile); errors.Is(err, fs.ErrNotExist) {
			return ""
		}
		given = DefaultFile
	}
	return given
}

// readAccounts makes each account from the general sections, its own section
// and its variables, in that order.
func (l *loader) readAccounts() {
	l.cfg.Accounts = make([]Account, len(l.accounts))
	for i, src := range l.accounts {
		a := &l.cfg.Accounts[i]
		v := reflect.ValueOf(a).Elem()
		setDefaults(v)
		a.inherit(l.cfg)
		if src.node != nil {
			if src.dir {
				a.file = src.file
			}
			l.source = src.file
			l.cfg.origins[accountPath(i)] = Origin{"file", l.at(src.node)}
			l.section(src.node, v, accountPath(i))
		}
		leaves(v, accountPath(i), l.variable)
	}
}

// set parses text into v and remembers who said so.
func (l *loader) set(v reflect.Value, text, path string, o Origin) {
	l.cfg.origins[path] = o
	if err := parse(v, text); err != nil {
		l.fault(path, o.Where, "%v", err)
	}
}

func (l *loader) at(n *yaml.Node) string { return fromFile(l.source, n.Line).Where }

// where says who set a path, as far as somebody did; for what an account does
// not say, where the account is.
func (l *loader) where(path string) string {
	if o := l.cfg.Origin(path); o.Where != "" {
		return o.Where
	}
	account, _, _ := strings.Cut(path, ".")
	return l.cfg.origins[account].Where
}

// fault keeps the first thing that is wrong with a key: what follows from it
// would only confuse.
func (l *loader) fault(path, where, format string, args ...any) {
	f := Fault{path, where, fmt.Sprintf(format, args...)}
	same := func(g Fault) bool { return path != "" && g.Path == path && g.Where == where }
	if !slices.ContainsFunc(l.faults, same) {
		l.faults = append(l.faults, f)
	}
}

// wrong is a fault of a key, wherever it was set.
func (l *loader) wrong(path, format string, args ...any) {
	l.fault(path, l.where(path), format, args...)
}

func (l *loader) warn(path, format string, args ...any) {
	l.cfg.Warnings = append(l.cfg.Warnings, Fault{path, l.where(path), fmt.Sprintf(format, args...)})
}

// Origin says who set a key, by its path. What an account does not say itself
// of input, batch, recent, recheck or retry comes from the general section.
func (c *Config) Origin(path string) Origin {
	if o, ok := c.origins[path]; ok {
		return o
	}
	if _, general, ok := strings.Cut(path, "]."); ok {
		if o, ok := c.origins[general]; ok {
			return o
		}
	}
	return Origin{Layer: "default"}
}
