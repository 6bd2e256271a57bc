package main

import (
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
)

// rights finds out what the NATS user may publish to.
type rights struct {
	nc     *natsconn.Conn
	prefix string // of JetStream's API
	free   bool   // the server says that nothing is denied
	creds  bool   // the user is one of an operator's, and not of the server's configuration
	tried  map[string]bool
}

func newRights(nc *natsconn.Conn, js jetstream.JetStream) rights {
	r := rights{nc: nc, prefix: "$JS.API.", free: nc.Unrestricted(), creds: nc.Opts.UserJWT != nil, tried: make(map[string]bool)}
	if o := js.Options(); o.Domain != "" {
		r.prefix = "$JS." + o.Domain + ".API."
	} else if o.APIPrefix != "" {
		r.prefix = strings.TrimSuffix(o.APIPrefix, ".") + "."
	}
	return r
}

// malformed is the body of a request that nobody carries out.
const malformed = "{"

// mayAsk tries a request of JetStream's API, and writes it down when it is
// denied, unless the verdict is empty. Without a place for the answer and with half a body it does nothing.
func (d *doctor) mayAsk(v verdictWord, why, format string, args ...any) bool {
	m := nats.NewMsg(d.rights.prefix + fmt.Sprintf(format, args...))
	m.Data = []byte(malformed)
	return d.may(v, why, m)
}

// mayStore tries to publish to a stream. The header names a stream that is not
// the one, so the message is refused and not stored.
func (d *doctor) mayStore(v verdictWord, why, subject string) bool {
	m := nats.NewMsg(subject)
	m.Header.Set(nats.ExpectedStreamHdr, "wxenrich-doctor")
	return d.may(v, why, m)
}

// mayAck says of a delivery that there never was that it is being worked on.
func (d *doctor) mayAck(stream, durable string) bool {
	m := nats.NewMsg("$JS.ACK." + stream + "." + durable + ".1.0.0.0.0")
	m.Data = []byte("+WPI")
	return d.may(broken, "an event could not be acknowledged", m)
}

func (d *doctor) may(v verdictWord, why string, m *nats.Msg) bool {
	r := &d.rights
	if r.free {
		return true
	}
	if allowed, known := r.tried[m.Subject]; known {
		return allowed
	}
	allowed, err := r.nc.MayPublish(m)
	if err != nil {
		d.say(broken, "permissions", fmt.Sprintf("publish to %s: %v", m.Subject, err), "")
		return false
	}
	r.tried[m.Subject] = allowed
	if !allowed && v != "" {
		d.say(v, "permissions", fmt.Sprintf("publish to %s is denied: %s", m.Subject, why), r.allow(m.Subject))
	}
	return allowed
}

// allow says how a subject is allowed to the user: by a command where users are
// kept by nsc, as those with credentials are.
func (r *rights) allow(subject string) string {
	if r.creds {
		return "nsc edit user --name USER --allow-pub '" + subject + "', and give the service the credentials that are new then"
	}
	return "add \"" + subject + "\" to this user's publish.allow in the server's configuration, and reload it: nats-server --signal reload"
}

// sumUpRights says what there was to be tried.
func (d *doctor) sumUpRights() {
	switch {
	case d.rights.free:
		d.say(fine, "permissions", "the server denies this user nothing", "")
	case d.clean("permissions"):
		d.say(fine, "permissions", fmt.Sprintf("all of %d subjects that were tried are allowed", len(d.rights.tried)), "")
	}
}
