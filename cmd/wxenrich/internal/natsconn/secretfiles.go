package natsconn

import (
	"encoding/json"
	"os"
	"slices"
)

// SecretFiles are the files that hold what a connection shows who we are with:
// credentials, keys, and a context in which there is a password.
func (s Settings) SecretFiles() []string {
	files := []string{s.Auth.Creds, s.Auth.NKey, s.TLS.Key}
	if s.Context != "" {
		files = append(files, contextSecrets(s.Context)...)
	}
	return slices.DeleteFunc(files, func(f string) bool { return f == "" })
}

// contextSecrets are those of a context. Of one that cannot be read there are
// none: whoever connects with it says so.
func contextSecrets(name string) []string {
	path, err := contextFile(name)
	if err != nil {
		return nil
	}
	var c struct{ Creds, NKey, Key, Password, Token string }
	data, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(data, &c) != nil {
		return nil
	}
	files := []string{c.Creds, c.NKey, c.Key}
	if c.Password != "" || c.Token != "" {
		files = append(files, path)
	}
	return files
}
