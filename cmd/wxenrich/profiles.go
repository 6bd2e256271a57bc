package main

import (
	"log/slog"
	"net/http"
	"net/http/pprof"
)

// startProfiles serves Go's profiles on an address of their own: whoever reads
// them sees what the process holds in memory, and takes its time. tokenFile may be
// empty.
func startProfiles(addr, tokenFile string, log *slog.Logger) (*admin, error) {
	guard, err := newGuard(tokenFile)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return listen(addr, "http.pprof", guard.all(mux), "profiles", log)
}
