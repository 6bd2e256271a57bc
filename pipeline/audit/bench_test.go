package audit_test

import "testing"

// BenchmarkRun audits a lane that has answered everything, with the server in
// the same process.
func BenchmarkRun(b *testing.B) {
	const n = 200_000
	w := newWorld(b)
	w.fill(n)
	for b.Loop() {
		if r := w.audit(scope()); r.Lanes[0].Records != n || !r.Holds() {
			b.Fatalf("%+v", r)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
