package erase_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/events/eventstest"
	"github.com/wxenrich/wxenrich/pipeline/erase"
)

// TestNothingOnDisk: of an order that is done, and of what it was before it was
// written anew, no openid is left in the files of the server.
func TestNothingOnDisk(t *testing.T) {
	t.Parallel()
	const appid, openid = "wx0123456789abcdef", "oABCDEFGHIJKLMNOPQRSTUVWXYZ0"
	dir := t.TempDir()
	s := eventstest.NewServer(t, eventstest.StoreDir(dir))
	js := s.JetStream()
	l, err := erase.Open(t.Context(), js, "WX_TOMBSTONES", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Prepare(t.Context(), 1, events.Create); err != nil {
		t.Fatal(err)
	}
	first, err := l.Place(t.Context(), erase.Order{AppID: appid, OpenID: openid, Due: time.Now(), Why: events.ErasedByRequest})
	if err != nil {
		t.Fatal(err)
	}
	order, err := l.Place(t.Context(), erase.Order{AppID: appid, OpenID: openid, UpTo: first.UpTo.Add(-time.Hour), Why: events.ErasedByUnsubscribe})
	if err != nil || first.UpTo.IsZero() || !order.UpTo.Equal(first.UpTo) || order.Why != events.ErasedByRequest {
		t.Fatalf("%+v, %+v: %v", first, order, err)
	}
	e := erase.Erasure{
		Ledger: l, JS: js, Manage: events.Create, Scope: erase.Scope{AppID: appid}, Subject: "wx.erased." + appid,
		Notices: events.StreamSpec{Name: "WX_ERASED", Subjects: []string{"wx.erased.>"}},
	}
	if _, err := e.Run(t.Context(), []erase.Standing{order}); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	files := 0
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "WX_ERASED" { // which says it on purpose
			return fs.SkipDir
		}
		if err != nil || d.IsDir() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(openid)) {
			t.Errorf("%s holds the openid", path)
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files: %v", files, err)
	}
}
