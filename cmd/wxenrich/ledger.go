package main

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/pipeline/erase"
)

// openLedger follows who is erased, for a command that makes nothing. It is nil
// where nobody can be.
func openLedger(ctx context.Context, js jetstream.JetStream, cfg *config.Config) (*erase.Ledger, error) {
	if cfg.Erase.Bucket == "" {
		return nil, nil
	}
	return erase.Open(ctx, js, cfg.Erase.Bucket, nil)
}

// ledgerToLookAt is nil with a note of why if there is none to be read.
func ledgerToLookAt(ctx context.Context, js jetstream.JetStream, cfg *config.Config) (*erase.Ledger, string) {
	ledger, err := openLedger(ctx, js, cfg)
	if err != nil {
		return nil, err.Error() + ": it is not known who is erased"
	}
	return ledger, ""
}
