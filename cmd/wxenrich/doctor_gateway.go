package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
	"github.com/wxenrich/wxenrich/events"
)

// gatewayUsed reports whether WeChat pushes for one of the accounts.
func (d *doctor) gatewayUsed() bool {
	return slices.ContainsFunc(d.cfg.Accounts, func(a config.Account) bool { return a.Push.Configured() })
}

// examineGateway looks at what "wxenrich gateway" needs besides its streams.
func (d *doctor) examineGateway() {
	if !d.gatewayUsed() {
		return
	}
	for i := range d.cfg.Accounts {
		if a := &d.cfg.Accounts[i]; a.Push.Configured() {
			d.examinePush(a)
		}
	}
	d.examineListener()
	d.examineSpool()
}

// examinePush reads an account's token and keys as the gateway does.
func (d *doctor) examinePush(a *config.Account) {
	about := "push of " + a.AppID
	p, err := readPush(a, d.app.getenv)
	if err == nil {
		_, err = p.receiver(d.cfg, a.AppID)
	}
	if err != nil {
		d.say(broken, about, err.Error(), "copy the Token and the EncodingAESKey of the console's page (服务器配置) into the files that push.token_file and push.aes_key_file name")
		return
	}
	said := "its token and keys can be read"
	switch keys, _ := a.Push.Keys(d.app.getenv); {
	case len(keys) == 0:
		d.say(bad, about, "there is no EncodingAESKey: pushes in safe mode are refused, and nothing signs the body of the others", "set push.aes_key_file, and safe mode (安全模式) in the console")
	case !a.Push.EncryptedOnly:
		d.say(told, about, said+"; pushes in clear are taken too, whose signature does not cover their body", "with safe mode in the console set push.encrypted_only: true")
	default:
		d.say(fine, about, said, "")
	}
}

// certificateDoubt is how long before its end a certificate is warned of.
const certificateDoubt = 14 * 24 * time.Hour

// examineListener looks at how WeChat reaches the gateway.
func (d *doctor) examineListener() {
	const about = "gateway"
	g := d.cfg.Gateway
	if g.TLSCert == "" {
		host, _, _ := net.SplitHostPort(g.Listen)
		if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
			d.say(told, about, g.Listen+" takes http: in clear mode what people write can be read on the way", "let a proxy end TLS, or set gateway.tls_cert and gateway.tls_key")
		}
		return
	}
	end, err := certificateEnd(g.TLSCert)
	switch left := time.Until(end); {
	case err != nil:
		d.say(broken, about, "gateway.tls_cert: "+err.Error(), "")
	case left < 0:
		d.say(broken, about, "its certificate has ended at "+end.UTC().Format(time.RFC3339)+": WeChat does not push to it", "renew it; a new file is taken over without a restart")
	case left < certificateDoubt:
		d.say(bad, about, "its certificate ends at "+end.UTC().Format(time.RFC3339), "renew it; a new file is taken over without a restart")
	default:
		d.say(fine, about, "its certificate is good until "+end.UTC().Format(time.DateOnly), "")
	}
}

// certificateEnd is when the first certificate of a PEM file ends.
func certificateEnd(path string) (time.Time, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return time.Time{}, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return time.Time{}, fmt.Errorf("%s holds no PEM block", path)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return time.Time{}, err
	}
	return c.NotAfter, nil
}

// examineSpool looks at the folder, and for what was put aside in it.
func (d *doctor) examineSpool() {
	const about = "gateway's spool"
	dir := d.cfg.Gateway.Spool.Dir
	if dir == "" {
		d.say(told, about, "there is none: a push is lost when NATS is away for longer than WeChat's three tries, some 15 s", "set gateway.spool.dir")
		return
	}
	info, err := os.Stat(dir)
	switch {
	case os.IsNotExist(err):
		d.say(told, about, dir+` does not exist on this machine; "wxenrich gateway" makes it`, "")
		return
	case err != nil:
		d.say(broken, about, err.Error(), "")
		return
	case !info.IsDir():
		d.say(broken, about, dir+" is not a folder", "")
		return
	}
	if aside, _ := filepath.Glob(filepath.Join(dir, "aside-*")); len(aside) > 0 {
		d.say(bad, about, fmt.Sprintf("%d pushes in %s were put aside: no stream takes them", len(aside), dir), "look at them, and remove them")
		return
	}
	d.say(fine, about, dir+" is there", "")
}

// examineGatewayStreams looks at the streams that pushes go to, and at whether
// this user may publish to them. It returns those that only the gateway needs.
func (d *doctor) examineGatewayStreams(ctx context.Context, nc *natsconn.Conn, js jetstream.JetStream) (others []string) {
	service := streamSpecs(d.cfg) // these were looked at
	for _, spec := range gatewaySpecs(d.cfg) {
		about, found := "stream "+spec.Name, new(layout)
		if !slices.ContainsFunc(service, func(s events.StreamSpec) bool { return s.Name == spec.Name }) {
			if d.examineStream(ctx, nc, js, spec, found) {
				others = append(others, spec.Name)
			}
		} else {
			ctx, cancel := context.WithTimeout(ctx, doctorPatience)
			if s, drifts, err := events.EnsureStream(ctx, js, spec, events.Verify); err == nil {
				found.add(s, drifts)
			}
			cancel()
		}
		for _, drift := range found.drifts {
			if drift.Fatal {
				d.say(broken, about, fmt.Sprintf("%s is %s, the gateway wants %s", drift.Field, drift.Have, drift.Want), "")
			}
		}
		// An old copy of a push may come for as long as its timestamp is taken.
		want := 2 * d.cfg.Gateway.MaxSkew.Std()
		if have, ok := found.streams[spec.Name]; ok && have.Duplicates < want {
			d.say(bad, about, fmt.Sprintf("duplicate_window is %s, want twice gateway.max_skew, %s: a late copy of a push would be another event", have.Duplicates, want),
				fmt.Sprintf("nats stream edit %s --dupe-window %s", spec.Name, want))
		}
		for _, subject := range spec.Must {
			d.mayStore(told, "a gateway that is this user could store no push", strings.ReplaceAll(subject, "*", "doctor"))
		}
	}
	return others
}
