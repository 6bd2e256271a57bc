package helm_test

import (
	"log/slog"
	"os"
	"testing"
)

// TestMain silences helm, which tells of each link in the chart: the alert rules
// and the dashboard are those of deploy/.
func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}
