package config

import (
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/suggest"
)

// EnvPrefix begins every variable that is a key.
const EnvPrefix = "WXENRICH_"

// EnvConfig names the file when --config does not.
const EnvConfig = EnvPrefix + "CONFIG"

var accountVar = regexp.MustCompile(`^WXENRICH_ACCOUNTS_([0-9]{1,5})_(.+)$`)

var variableNames = strings.NewReplacer(".", "_", "[", "_", "]", "")

// Variable is the name of the environment variable for a key.
func Variable(path string) string {
	name := variableNames.Replace(path)
	return EnvPrefix + strings.ToUpper(name)
}

// env sets the sections that are everybody's.
func (l *loader) env() {
	leaves(reflect.ValueOf(l.cfg).Elem(), "", l.variable)
}

// envAccounts adds an account for each number that the variables use beyond
// the file's, without a gap.
func (l *loader) envAccounts() {
	highest := -1
	var vars []string
	for _, name := range l.names {
		if m := accountVar.FindStringSubmatch(name); m != nil {
			n, _ := strconv.Atoi(m[1])
			highest = max(highest, n)
			vars = append(vars, name)
		}
	}
	for i := len(l.accounts); i <= highest; i++ {
		prefix := Variable(accountPath(i)) + "_"
		ofThis := func(name string) bool { return strings.HasPrefix(name, prefix) }
		if !slices.ContainsFunc(vars, ofThis) {
			l.fault("accounts", "", "%sACCOUNTS_%d_… is set but no %s…: number the accounts from 0 without a gap", EnvPrefix, highest, prefix)
			for _, name := range vars {
				l.used[name] = true // one fault is enough
			}
			return
		}
		l.accounts = append(l.accounts, accountSource{})
	}
}

// variable sets one value if there is a variable for it.
func (l *loader) variable(f leaf) {
	names := []string{Variable(f.path)}
	if key, only := strings.CutPrefix(f.path, "output."); only {
		names = append(names, Variable(join(listedOutput(0), key)))
	}
	for _, name := range names {
		if text, ok := l.environ[name]; ok {
			l.used[name] = true
			l.set(f.value, text, f.path, Origin{"env", name})
		}
	}
}

// unknownVars reports variables with our prefix that mean nothing: most likely
// somebody believes in one.
func (l *loader) unknownVars() {
	l.used[EnvConfig] = true
	for _, a := range l.cfg.Accounts {
		l.used[a.SecretEnv], l.used[a.Token.Env] = true, true
		l.used[a.Push.TokenEnv], l.used[a.Push.AESKeyEnv] = true, true
	}
	var known []string
	leaves(reflect.ValueOf(l.cfg).Elem(), "", func(f leaf) { known = append(known, Variable(f.path)) })
	for _, name := range l.names {
		// The shell completion that cobra writes reads variables of its own.
		if !strings.HasPrefix(name, EnvPrefix) || l.used[name] || strings.Contains(name, "_ACTIVE_HELP") || strings.Contains(name, "_COMPLETION_") {
			continue
		}
		problem := "unknown variable"
		if near := suggest.Nearest(name, known); near != "" {
			problem += ": did you mean " + near + "?"
		}
		l.fault("", name, "%s", problem)
	}
}
