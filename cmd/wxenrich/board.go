package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
)

// openBucket opens the state bucket, and makes it if it is missing and we may.
// It returns nil if the configuration wants none.
func openBucket(ctx context.Context, js jetstream.JetStream, cfg *config.Config) (jetstream.KeyValue, error) {
	if cfg.State.Bucket == "" {
		return nil, nil
	}
	kv, err := js.KeyValue(ctx, cfg.State.Bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) && events.Manage(cfg.Manage) == events.Create {
		kv, err = js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket:      cfg.State.Bucket,
			Description: "what wxenrich's replicas tell each other",
			Replicas:    cfg.State.Replicas,
		})
		if errors.Is(err, jetstream.ErrBucketExists) { // another replica was quicker, with other settings
			kv, err = js.KeyValue(ctx, cfg.State.Bucket)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", cfg.State.Bucket, err)
	}
	return kv, nil
}

// openBoard reads the state bucket for a command, which makes nothing.
func openBoard(ctx context.Context, js jetstream.JetStream, cfg *config.Config, log *slog.Logger) (*pipeline.Board, error) {
	kv, err := js.KeyValue(ctx, cfg.State.Bucket)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", cfg.State.Bucket, err)
	}
	return pipeline.OpenBoard(ctx, kv, log)
}
