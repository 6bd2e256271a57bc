package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/plan"
)

// examineStreams looks at each stream once, and then at what belongs to one
// account.
func (d *doctor) examineStreams(ctx context.Context, nc *natsconn.Conn, js jetstream.JetStream) {
	found := &layout{server: nc.ConnectedServerVersion(), consumers: d.consumers}
	var present []string
	for _, spec := range streamSpecs(d.cfg) {
		if d.examineStream(ctx, nc, js, spec, found) {
			present = append(present, spec.Name)
		}
	}
	if len(present) > 0 {
		d.examineClock(ctx, js, present[0])
	}
	d.examineCrawls(ctx, js, found)
	d.examineBucket(ctx, nc, js, found)
	d.examineTombstones(ctx, nc, js, found)
	d.examineNotices(ctx, nc, js, found)
	accounts := make([]*config.Account, len(d.cfg.Accounts))
	for i := range accounts {
		accounts[i] = &d.cfg.Accounts[i]
	}
	findings, err := found.findings(d.cfg, accounts)
	if err != nil {
		d.say(broken, "configuration", err.Error(), "")
		return
	}
	d.tell(findings)
	for _, drift := range found.differences(findings) {
		if drift.Field == "allow_atomic" && !plan.HasAtomic(found.server) {
			continue // it is said of the server
		}
		v, why := told, ""
		if drift.Fatal {
			v, why = broken, ": the service cannot work with it"
		}
		want := drift.Want
		if drift.Field == "subjects" { // which a command replaces, and adds none
			want = strings.TrimPrefix(drift.Have+", "+want, ", ")
		}
		d.say(v, "stream "+drift.Stream, fmt.Sprintf("%s is %s, the configuration says %s%s", drift.Field, drift.Have, drift.Want, why),
			plan.EditStream(drift.Stream, drift.Field, want))
	}
	if d.gatewayUsed() {
		present = append(present, d.examineGatewayStreams(ctx, nc, js)...)
	}
	for _, name := range present {
		if about := "stream " + name; d.clean(about) {
			d.say(fine, about, "fits", "")
		}
	}
	for _, a := range accounts {
		d.examineDurable(ctx, nc, js, a, found)
	}
}

func (d *doctor) examineStream(ctx context.Context, nc *natsconn.Conn, js jetstream.JetStream, spec events.StreamSpec, found *layout) (present bool) {
	about := "stream " + spec.Name
	if !d.mayAsk(broken, "the service looks at every stream when it starts", "STREAM.INFO.%s", spec.Name) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	stream, drifts, err := events.EnsureStream(ctx, js, spec, events.Verify) // which makes nothing
	switch {
	case err == nil:
		found.add(stream, drifts)
		return true
	case !errors.Is(err, jetstream.ErrStreamNotFound):
		d.say(broken, about, nc.Explain(err).Error(), "")
	case events.Manage(d.cfg.Manage) != events.Create:
		d.say(broken, about, "does not exist, and manage is "+d.cfg.Manage, addStream(found.server, &spec))
	case !d.mayAsk(broken, "the stream does not exist and is to be made", "STREAM.CREATE.%s", spec.Name):
		d.say(broken, about, "does not exist, and this user may not make it", addStream(found.server, &spec))
	default:
		d.say(told, about, `does not exist yet; "wxenrich run" makes it`, "")
	}
	return false
}

// examineCrawls says how to make the streams that only a backfill needs, where
// that may not make them.
func (d *doctor) examineCrawls(ctx context.Context, js jetstream.JetStream, found *layout) {
	if events.Manage(d.cfg.Manage) == events.Create {
		return
	}
	var specs []events.StreamSpec
	for i := range d.cfg.Accounts {
		specs = merge(specs, crawlStream(d.cfg, &d.cfg.Accounts[i]))
	}
	for _, spec := range specs {
		if !d.mayAsk("", "", "STREAM.INFO.%s", spec.Name) {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, doctorPatience)
		if _, err := js.Stream(ctx, spec.Name); errors.Is(err, jetstream.ErrStreamNotFound) {
			d.say(told, "stream "+spec.Name, "does not exist, and manage is "+d.cfg.Manage+": a backfill keeps its list of followers there", addStream(found.server, &spec))
		}
		cancel()
	}
}

// addStream is the command that makes a stream on a server of that version.
func addStream(version string, spec *events.StreamSpec) string {
	c := spec.Config()
	c.AllowAtomicPublish = c.AllowAtomicPublish && plan.HasAtomic(version)
	return plan.AddStream(c)
}

func (d *doctor) examineBucket(ctx context.Context, nc *natsconn.Conn, js jetstream.JetStream, found *layout) {
	name := d.cfg.State.Bucket
	about := "bucket " + name
	if name == "" {
		d.say(told, "bucket", "state.bucket is empty: replicas do not tell each other of holds, and after an outage more answers have to be read", "")
		return
	}
	if !d.mayAsk(bad, "replicas could not share holds, nor how far events are answered", "STREAM.INFO.KV_%s", name) {
		return
	}
	d.mayAsk(bad, "the bucket could not be watched", "CONSUMER.CREATE.KV_%s.doctor.$KV.%s.>", name, name)
	mayRead := d.mayAsk(bad, "the bucket could not be read", "DIRECT.GET.KV_%s.$KV.%s.doctor", name, name)
	if d.rights.prefix == "$JS.API." {
		d.mayStore(bad, "the bucket could not be written to", "$KV."+name+".doctor")
	}
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	kv, err := js.KeyValue(ctx, name)
	if err == nil {
		err = found.addBucket(ctx, kv)
	}
	switch {
	case err == nil:
		d.say(fine, about, "is there", "")
		if mayRead {
			d.state = kv
		}
	case !errors.Is(err, jetstream.ErrBucketNotFound):
		d.say(bad, about, nc.Explain(err).Error(), "")
	case events.Manage(d.cfg.Manage) != events.Create:
		d.say(bad, about, "does not exist, and manage is "+d.cfg.Manage, plan.AddBucket(name, d.cfg.State.Replicas))
	case !d.mayAsk(bad, "the bucket does not exist and is to be made", "STREAM.CREATE.KV_%s", name):
		d.say(bad, about, "does not exist, and this user may not make it", plan.AddBucket(name, d.cfg.State.Replicas))
	default:
		d.say(told, about, `does not exist yet; "wxenrich run" makes it`, "")
	}
}
