package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/plan"
)

// examineTombstones looks at the bucket of who is erased. It need not be there,
// but whoever may not look for it stores nothing: somebody might come back.
func (d *doctor) examineTombstones(ctx context.Context, nc *natsconn.Conn, js jetstream.JetStream, found *layout) {
	name := d.cfg.Erase.Bucket
	if name == "" {
		d.say(told, "bucket", "erase.bucket is empty: nobody can be erased", "")
		return
	}
	about := "bucket " + name
	const why = "the service does not start before it knows who is erased"
	// The watch has several filters, and so none in its subject.
	mayLook, mayWatch := d.mayAsk(broken, why, "STREAM.INFO.KV_%s", name), d.mayAsk(broken, why, "CONSUMER.CREATE.KV_%s.doctor", name)
	if d.rights.prefix == "$JS.API." { // else nobody knows where a bucket listens
		d.mayStore(bad, "of whom only WeChat's answer says that they are erased by unionid there could be no tombstone: audit would miss their events", "$KV."+name+".stone.doctor")
	}
	if d.cfg.Erase.Unsubscribed {
		d.mayErase()
	}
	if !mayLook || !mayWatch {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	stream, err := js.Stream(ctx, "KV_"+name)
	create := events.Manage(d.cfg.Manage) == events.Create
	v := told
	if d.cfg.Erase.Unsubscribed {
		v = broken
	}
	switch {
	case err == nil:
		found.tombstones = &stream.CachedInfo().Config
		d.say(fine, about, "is there", "")
	case !errors.Is(err, jetstream.ErrStreamNotFound):
		d.say(broken, about, nc.Explain(err).Error(), "")
	case !create:
		d.say(v, about, "does not exist, and manage is "+d.cfg.Manage+": nobody can be erased", plan.AddTombstones(name, d.cfg.Erase.Replicas))
	case d.cfg.Erase.Unsubscribed && !d.mayAsk(broken, "the bucket does not exist and is to be made", "STREAM.CREATE.KV_%s", name):
		d.say(broken, about, "does not exist, and this user may not make it", plan.AddTombstones(name, d.cfg.Erase.Replicas))
	default:
		d.say(told, about, "does not exist yet; it is made with the first erasure", "")
	}
}

// examineNotices looks at the streams of the notices to consumers. They are made
// with the first notice, by whoever may.
func (d *doctor) examineNotices(ctx context.Context, nc *natsconn.Conn, js jetstream.JetStream, found *layout) {
	if d.cfg.Erase.Bucket == "" {
		return
	}
	v := told
	if d.cfg.Erase.Unsubscribed {
		v = broken
	}
	var specs []events.StreamSpec
	for i := range d.cfg.Accounts {
		specs = merge(specs, eraseStream(d.cfg, &d.cfg.Accounts[i]))
	}
	for _, spec := range specs {
		about := "stream " + spec.Name
		if !d.mayAsk("", "", "STREAM.INFO.%s", spec.Name) {
			continue // the service needs it with erase.unsubscribed only: see mayErase
		}
		ctx, cancel := context.WithTimeout(ctx, doctorPatience)
		_, drifts, err := events.EnsureStream(ctx, js, spec, events.Bind) // which makes nothing
		cancel()
		switch {
		case err == nil:
			for _, drift := range drifts {
				if drift.Fatal {
					d.say(v, about, fmt.Sprintf("%s is %s, want %s: nobody can be erased, since consumers could not be told", drift.Field, drift.Have, drift.Want),
						plan.EditStream(drift.Stream, drift.Field, drift.Want))
				}
			}
		case !errors.Is(err, jetstream.ErrStreamNotFound):
			d.say(v, about, nc.Explain(err).Error(), "")
		case events.Manage(d.cfg.Manage) != events.Create:
			d.say(v, about, "does not exist, and manage is "+d.cfg.Manage+": nobody can be erased, since consumers could not be told", addStream(found.server, &spec))
		case d.cfg.Erase.Unsubscribed && !d.mayAsk(broken, "the stream does not exist and is to be made", "STREAM.CREATE.%s", spec.Name):
			d.say(broken, about, "does not exist, and this user may not make it", addStream(found.server, &spec))
		}
	}
}

// mayErase tries what the service needs to erase whoever unsubscribes.
func (d *doctor) mayErase() {
	const why = "whoever unsubscribes could not be erased"
	name := d.cfg.Erase.Bucket
	d.mayAsk(broken, why, "DIRECT.GET.KV_%s.$KV.%s.doctor", name, name)
	d.mayAsk(broken, why, "STREAM.MSG.DELETE.KV_%s", name)
	if d.rights.prefix == "$JS.API." {
		d.mayStore(broken, why, "$KV."+name+".doctor")
	}
	for i := range d.cfg.Accounts {
		a := &d.cfg.Accounts[i]
		for _, p := range erasePlaces(d.cfg, a) {
			d.mayAsk(broken, why, "STREAM.INFO.%s", p.Stream)
			d.mayAsk(broken, why, "CONSUMER.CREATE.%s.doctor", p.Stream)
			d.mayAsk(broken, why, "CONSUMER.MSG.NEXT.%s.doctor", p.Stream)
			d.mayAsk(broken, why, "STREAM.MSG.DELETE.%s", p.Stream)
		}
		d.mayAsk(broken, why, "STREAM.INFO.%s", eraseStream(d.cfg, a).Name)
		d.mayStore(broken, "consumers could not be told who is erased", expandAppID(d.cfg.Erase.Subject, a.AppID))
	}
}
