package config

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// Reload reads the accounts anew, for a service that runs with c. What is wrong
// with a file of accounts_dir costs that file only: its account stays as it is
// in c, also where the file gets in its way. Anything else that is wrong leaves all as it is. The other sections are
// read at a start only; Stale names those that have changed.
func (c *Config) Reload(o Options) (next *Config, faults Faults) {
	o.leaveOut, o.running = map[string]bool{}, c
	for {
		l := load(o)
		if len(l.faults) == 0 {
			return c.with(l.cfg, o.leaveOut), faults
		}
		faults = append(faults, l.faults...)
		for _, f := range l.faults {
			file, ours := accountFile(l.cfg.AccountsDir, f.Where)
			if !ours {
				return c, faults
			}
			o.leaveOut[file] = true
		}
	}
}

// accountFile is the file of a folder that a place is in, as faults name it.
func accountFile(dir, where string) (file string, ours bool) {
	if dir == "" {
		return "", false
	}
	file = where
	if i := strings.LastIndexByte(where, ':'); i >= 0 && strings.Trim(where[i+1:], "0123456789") == "" {
		file = where[:i]
	}
	return file, file != "" && filepath.Dir(file) == filepath.Clean(dir)
}

// with is c with the accounts of read, and with its own of the files that were
// left out.
func (c *Config) with(read *Config, leftOut map[string]bool) *Config {
	next := *c
	next.Accounts, next.Warnings, next.origins = read.Accounts, read.Warnings, read.origins
	for _, a := range c.Accounts {
		known := func(b Account) bool { return b.AppID == a.AppID }
		if leftOut[a.file] && !slices.ContainsFunc(next.Accounts, known) {
			next.Accounts = append(next.Accounts, a)
		}
	}
	next.stale = stale(c, read)
	return &next
}

// Stale names the sections that were changed since the start and are not in
// effect.
func (c *Config) Stale() []string { return c.stale }

func stale(running, read *Config) (names []string) {
	now := children(reflect.ValueOf(read).Elem())
	for i, have := range children(reflect.ValueOf(running).Elem()) {
		// What accounts inherit is in effect with them.
		inherited := slices.Contains([]string{"accounts", "input", "batch", "retry", "recheck"}, have.key)
		if !inherited && !reflect.DeepEqual(have.value.Interface(), now[i].value.Interface()) {
			names = append(names, have.key)
		}
	}
	return names
}
