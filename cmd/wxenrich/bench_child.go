package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"

	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/bench"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/embedded"
)

// newBenchChildCommand runs another command as a process of a benchmark: until
// its standard input ends at the latest, and in the end it says what it has cost.
func newBenchChildCommand(a *app) *cobra.Command {
	var profiles bench.Profiles
	c := &cobra.Command{Use: "child -- COMMAND", Short: "Run a command and say what it took", Hidden: true}
	c.Flags().StringVar(&profiles.CPU, "cpuprofile", "", "file for a profile")
	c.Flags().StringVar(&profiles.Memory, "memprofile", "", "file for a profile")
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx, cancel := context.WithCancel(c.Context())
		defer cancel()
		go func() {
			_, _ = io.Copy(io.Discard, a.in) // its end is the news
			cancel()
		}()
		if profiles.CPU != "" {
			file, err := os.Create(profiles.CPU)
			if err != nil {
				return err
			}
			defer file.Close()
			if err := pprof.StartCPUProfile(file); err != nil {
				return err
			}
			defer pprof.StopCPUProfile()
		}
		if code := execute(ctx, args, a.streams); code != 0 {
			return fmt.Errorf("ended with code %d", code)
		}
		if profiles.Memory != "" {
			var b bytes.Buffer
			if err := pprof.Lookup("allocs").WriteTo(&b, 0); err != nil {
				return err
			}
			if err := os.WriteFile(profiles.Memory, b.Bytes(), 0o644); err != nil {
				return err
			}
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return a.printJSON(bench.Usage{Mallocs: m.Mallocs, Bytes: m.TotalAlloc})
	}
	return c
}

// newBenchNATSCommand runs a NATS server as it is by default, which is what the
// figures of a relay are of.
func newBenchNATSCommand(a *app) *cobra.Command {
	var dir string
	c := &cobra.Command{Use: "nats", Short: "Run a NATS server for a benchmark", Hidden: true, Args: arguments(cobra.NoArgs)}
	c.Flags().StringVar(&dir, "dir", "", "folder for the streams")
	c.RunE = func(c *cobra.Command, _ []string) error {
		server, err := embedded.Start(embedded.Options{StoreDir: dir, Listen: "127.0.0.1:0"})
		if err != nil {
			return err
		}
		defer server.Stop()
		fmt.Fprintln(a.out, server.URL())
		<-c.Context().Done()
		return nil
	}
	return c
}

// newBenchRelayCommand runs the relay.
func newBenchRelayCommand(*app) *cobra.Command {
	var server string
	c := &cobra.Command{Use: "relay", Short: "Move events to the output as they are", Hidden: true, Args: arguments(cobra.NoArgs)}
	c.Flags().StringVar(&server, "server", "", "URL of the NATS server")
	c.RunE = func(c *cobra.Command, _ []string) error { return bench.Relay(c.Context(), server) }
	return c
}
