package wxapi

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// sharedState is the value of the key token.<appid>. The lease is readable for
// those too who have another secret, so that they do not take the lock from
// each other.
type sharedState struct {
	Lease  time.Time `json:"lease,omitzero"` // until when somebody may be fetching
	Sealed []byte    `json:"sealed,omitempty"`

	revision uint64 // 0: there is no value
}

// errOvertaken means that somebody else has written in the meantime.
var errOvertaken = errors.New("overtaken")

// sharedTimeout is for one request to the bucket; one that takes longer is as
// good as none.
const sharedTimeout = 2 * time.Second

// readState reads the present value. One that nobody can read is none.
func readState(ctx context.Context, kv jetstream.KeyValue, key string) (s sharedState, err error) {
	ctx, cancel := context.WithTimeout(ctx, sharedTimeout)
	defer cancel()
	entry, err := kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if json.Unmarshal(entry.Value(), &s) != nil {
		s = sharedState{}
	}
	s.revision = entry.Revision()
	return s, nil
}

// write replaces the value that was read, and notes its new revision.
func (s *sharedState) write(ctx context.Context, kv jetstream.KeyValue, key string) error {
	ctx, cancel := context.WithTimeout(ctx, sharedTimeout)
	defer cancel()
	value, err := json.Marshal(s)
	if err != nil {
		return err
	}
	var revision uint64
	if s.revision == 0 {
		revision, err = kv.Create(ctx, key, value)
	} else {
		revision, err = kv.Update(ctx, key, value, s.revision)
	}
	if errors.Is(err, jetstream.ErrKeyExists) {
		return errOvertaken
	}
	if err == nil {
		s.revision = revision
	}
	return err
}
