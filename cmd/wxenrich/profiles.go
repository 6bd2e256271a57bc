package main

import (
	"log/slog"
	"net/http"
	"net/http/pprof"
)

// startProfiles serves Go's profiles on an address of their own: whoever reads
// them sees what the process holds in memory, and takes its time.
func startProfiles(addr string, log *slog.Logger) (*admin, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return listen(addr, "http.pprof", mux, "profiles", log)
}
