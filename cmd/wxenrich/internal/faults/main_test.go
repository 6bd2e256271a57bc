//go:build linux

package faults

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	seed = flag.Uint64("seed", 0, "which faults strike; 0 draws one, which is printed")
	run  = flag.Bool("faults", false, "run the suite, each scenario small")
	long = flag.Bool("long", false, "run each scenario at full size; it takes hours: add -timeout 0")
	old  = flag.String("nats", "", "version of nats-server, such as v2.10.27; empty for the one of go.mod")
	disk = flag.String("durables", "file", "input.durable_storage of each scenario: file or memory")
	soak = flag.Int("soak", 30, "with -long: how many minutes nothing goes wrong in TestSoak")
)

// binaries is the folder with the programs, made when the first is needed.
var binaries string

func TestMain(m *testing.M) {
	flag.Parse()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	fmt.Printf("-seed %d\n", *seed)
	code := m.Run()
	if binaries != "" {
		_ = os.RemoveAll(binaries)
	}
	os.Exit(code)
}

// build makes the service, with its fault points, and the server.
var build = sync.OnceValue(func() error {
	dir, err := os.MkdirTemp("", "faults")
	if err != nil {
		return err
	}
	binaries = dir
	server := []string{"build", "-o", filepath.Join(dir, "nats-server"), "github.com/nats-io/nats-server/v2"}
	if *old != "" {
		server = []string{"install", "github.com/nats-io/nats-server/v2@" + *old}
	}
	for _, args := range [][]string{
		{"build", "-o", filepath.Join(dir, "wxenrich"), "-tags", "faults", "github.com/wxenrich/wxenrich/cmd/wxenrich"}, server,
	} {
		c := exec.Command("go", args...)
		c.Env = append(os.Environ(), "GOBIN="+dir)
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return nil
})

// size is how big a scenario is: small in every run of the tests, full with -long.
func size[T any](small, full T) T {
	if *long {
		return full
	}
	return small
}
