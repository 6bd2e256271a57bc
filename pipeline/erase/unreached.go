package erase

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// Unreached says, for a person, who else may hold what was removed from the
// streams: copies that the server keeps up, and consumers. Backups it does not
// know of.
func Unreached(ctx context.Context, js jetstream.JetStream, streams []string) []string {
	var notes []string
	all := js.ListStreams(ctx)
	for info := range all.Info() {
		cfg := info.Config
		if slices.Contains(streams, cfg.Name) {
			if cfg.RePublish != nil {
				notes = append(notes, fmt.Sprintf("stream %s is republished on %s: whoever listens there has had it", cfg.Name, cfg.RePublish.Destination))
			}
			continue
		}
		if cfg.Mirror != nil && slices.Contains(streams, cfg.Mirror.Name) {
			notes = append(notes, fmt.Sprintf("stream %s mirrors %s: name it with --stream too", cfg.Name, cfg.Mirror.Name))
		}
		for _, source := range cfg.Sources {
			if slices.Contains(streams, source.Name) {
				notes = append(notes, fmt.Sprintf("stream %s copies %s: name it with --stream too", cfg.Name, source.Name))
			}
		}
	}
	if err := all.Err(); err != nil {
		notes = append(notes, fmt.Sprintf("which streams copy these was not to be found out: %v", err))
	}
	return notes
}

// Readers says which durables read a stream: they may have handed on what was
// in it.
func Readers(ctx context.Context, js jetstream.JetStream, name string) string {
	stream, err := js.Stream(ctx, name)
	if err != nil {
		return ""
	}
	var durables []string
	all := stream.ListConsumers(ctx)
	for info := range all.Info() {
		if info.Config.Durable != "" {
			durables = append(durables, info.Config.Durable)
		}
	}
	switch {
	case all.Err() != nil:
		return fmt.Sprintf("who reads %s was not to be found out: %v", name, all.Err())
	case len(durables) == 0:
		return ""
	}
	slices.Sort(durables)
	return fmt.Sprintf("consumers of %s have had what was in it, and are told by the notice: %s", name, strings.Join(durables, ", "))
}

// OnDisk says what the server's files may still hold of a person who is gone from
// the streams. state is the bucket that replicas share; empty for none.
func OnDisk(state string) []string {
	notes := []string{
		"the server's files: it writes a block anew without what is removed, and leaves the former file's space to the file system; one that encrypts them (jetstream.key) only removes",
		"dead letters that were redriven or purged before: they are not in the stream, and their bytes are not overwritten; they go when the server compacts or drops their block",
	}
	if state != "" {
		notes = append(notes, "former values in the bucket "+state+", in the same way")
	}
	return notes
}
