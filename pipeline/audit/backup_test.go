package audit_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// snapshot is a stream's backup, as "nats stream backup" asks for it.
func snapshot(t *testing.T, nc *nats.Conn, stream string) (b backup) {
	t.Helper()
	sub, err := nc.SubscribeSync(nc.NewInbox())
	if err != nil {
		t.Fatal(err)
	}
	var r server.JSApiStreamSnapshotResponse
	ask(t, nc, "STREAM.SNAPSHOT."+stream, server.JSApiStreamSnapshotRequest{DeliverSubject: sub.Subject}, &r)
	b.request = server.JSApiStreamRestoreRequest{Config: *r.Config, State: *r.State}
	for {
		m, err := sub.NextMsg(time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Data) == 0 {
			return b
		}
		b.chunks = append(b.chunks, m.Data)
		if m.Reply == "" { // the server asks for an ack now and then
			continue
		}
		if err := m.Respond(nil); err != nil {
			t.Fatal(err)
		}
	}
}

type backup struct {
	request server.JSApiStreamRestoreRequest
	chunks  [][]byte
}

// restore makes a stream that is gone of its backup.
func restore(t *testing.T, nc *nats.Conn, stream string, b backup) {
	t.Helper()
	var r server.JSApiStreamRestoreResponse
	ask(t, nc, "STREAM.RESTORE."+stream, b.request, &r)
	for _, c := range append(b.chunks, nil) {
		m, err := nc.Request(r.DeliverSubject, c, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		var done server.JSApiStreamCreateResponse
		if err := json.Unmarshal(m.Data, &done); len(m.Data) > 0 && (err != nil || done.Error != nil) {
			t.Fatalf("%v %s", err, m.Data)
		}
	}
}

// ask makes a request of the JetStream API.
func ask(t *testing.T, nc *nats.Conn, subject string, request, answer any) {
	t.Helper()
	b, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	m, err := nc.Request("$JS.API."+subject, b, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	var failed server.ApiResponse
	if err := json.Unmarshal(m.Data, &failed); err != nil || failed.Error != nil {
		t.Fatalf("%s: %v %s", subject, err, m.Data)
	}
	if err := json.Unmarshal(m.Data, answer); err != nil {
		t.Fatal(err)
	}
}
