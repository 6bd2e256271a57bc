package main

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"time"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
)

// pushSecretsEvery is how often the files with the accounts' Tokens and
// EncodingAESKeys are looked at. Whoever changes one in the console writes it here
// too, and WeChat sends a push again for some 15 s only.
const pushSecretsEvery = 2 * time.Second

// followSecrets has the accounts read again when one of those files has changed since
// it was seen, until ctx ends.
func followSecrets(ctx context.Context, r *accountsReader, seen secretFiles) {
	tick := time.NewTicker(pushSecretsEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		now := pushSecretFiles(r.now())
		if maps.EqualFunc(now, seen, sameFile) {
			continue
		}
		seen = now
		r.log.Debug("a file with a Token or an EncodingAESKey has changed, or another one is named", slog.Int("files", len(now)))
		r.read(ctx)
	}
}

// secretFiles is what is known of files by their names without reading them; nil of
// one that is not there. Links are followed: Kubernetes exchanges one to change a
// Secret.
type secretFiles map[string]os.FileInfo

func pushSecretFiles(cfg *config.Config) secretFiles {
	files := make(secretFiles)
	for i := range cfg.Accounts {
		p := &cfg.Accounts[i].Push
		for _, name := range []string{p.TokenFile, p.AESKeyFile} {
			if name != "" {
				files[name], _ = os.Stat(name)
			}
		}
	}
	return files
}

func sameFile(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == b
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}
