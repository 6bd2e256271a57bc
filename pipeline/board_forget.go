package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline/erase"
	"github.com/wxenrich/wxenrich/pipeline/job"
)

// nobody stands in a list for an openid that was erased. It is none.
const nobody = "-"

// Forget removes people of an account from the board: as somebody who is known
// to work, and from what jobs were asked for. A bucket does not let itself be
// overwritten: on the disk they stay until the server makes room.
func (b *Board) Forget(ctx context.Context, appid string, erased func(openid string, at time.Time) bool) error {
	if b == nil {
		return nil
	}
	key := kindKnown + "." + appid
	n, err := b.fetch(ctx, key)
	if err == nil && erased(string(n.value), n.written) {
		err = b.purge(ctx, key)
	}
	if err != nil && !errors.Is(err, jetstream.ErrKeyNotFound) {
		return fmt.Errorf("forget whom the account knows: %w", err)
	}
	for _, j := range b.Jobs(appid) {
		gone := func(openid string) bool { return erased(openid, j.Created) }
		if !slices.ContainsFunc(j.Spec.OpenIDs, gone) && !slices.ContainsFunc(j.Spec.IDs, func(id string) bool { return without(id, gone) != id }) {
			continue
		}
		_, err := b.ChangeJob(ctx, appid, j.ID, func(j *job.Job) error {
			for i, openid := range j.Spec.OpenIDs {
				if gone(openid) {
					j.Spec.OpenIDs[i] = nobody
				}
			}
			for i, id := range j.Spec.IDs {
				j.Spec.IDs[i] = without(id, gone)
			}
			return nil
		})
		if err != nil && !errors.Is(err, ErrNoJob) {
			return fmt.Errorf("forget whom job %s was about: %w", j.ID, err)
		}
	}
	return nil
}

// without is an event's id with nobody in the place of those who are gone: the
// gateway's name the person.
func without(id string, gone func(openid string) bool) string {
	for openid := range erase.MayName(id) {
		if gone(openid) {
			id = strings.ReplaceAll(id, openid, nobody)
		}
	}
	return id
}

func (b *Board) purge(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, boardTimeout)
	defer cancel()
	return b.kv.Purge(ctx, key)
}
