package bench

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAbandonedFoldersAreRemoved(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	folder := func() (dir string, end func()) {
		t.Helper()
		dir, lock, err := newFolder(temp)
		if err != nil {
			t.Fatal(err)
		}
		end = func() { _ = lock.Close() } // as the system does for who is killed
		t.Cleanup(end)
		return dir, end
	}
	alive, _ := folder()
	killed, end := folder()
	unmarked, foreign := filepath.Join(temp, "wxenrich-bench-old"), filepath.Join(temp, "somebody's")
	for _, dir := range []string{filepath.Join(killed, "nats", "jetstream"), unmarked, foreign} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{filepath.Join(killed, "nats", "jetstream", "1.blk"), filepath.Join(foreign, ownerFile)} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	end()
	next, _ := folder()
	got, err := filepath.Glob(filepath.Join(temp, "*"))
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]bool{}
	for _, dir := range got {
		left[dir] = true
	}
	if diff := cmp.Diff(map[string]bool{alive: true, next: true, unmarked: true, foreign: true}, left); diff != "" {
		t.Errorf("folders (-want +got):\n%s", diff)
	}
}
