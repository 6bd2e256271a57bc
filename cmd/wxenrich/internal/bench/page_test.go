package bench

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the pages on scaling anew from their numbers")

// TestScalingPages holds the pages to the numbers that they are made of.
func TestScalingPages(t *testing.T) {
	t.Parallel()
	dir := filepath.Join("..", "..", "..", "..", "deploy", "docs")
	text, err := os.ReadFile(filepath.Join(dir, "scaling.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s Scaling
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	for name, want := range s.Pages() {
		path := filepath.Join(dir, name)
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if have, err := os.ReadFile(path); err != nil || string(have) != want {
			t.Errorf("%s is not what its numbers make (%v): go test ./cmd/wxenrich/internal/bench -update", name, err)
		}
	}
}

func TestReplaceAndPlot(t *testing.T) {
	t.Parallel()
	var s Scaling
	s.Replace("batch", []Point{{Dimension: "batch", Series: "service", Value: 100, Figures: Figures{PerSecond: 1}}})
	s.Replace("idle", []Point{{Dimension: "idle", Series: "service", Figures: Figures{PerSecond: 5}}})
	s.Replace("batch", []Point{
		{Dimension: "batch", Series: "service", Value: 100, Runs: 3, Figures: Figures{PerSecond: 1900}}, {Dimension: "batch", Series: "service", Value: 10, Runs: 2, Figures: Figures{PerSecond: 200}}})
	pages := s.Pages()
	if len(pages) != 3 || strings.Count(pages["scaling-batch.svg"], "<circle") != 2 || !strings.Contains(pages["scaling-batch.svg"], ">2,000<") {
		t.Errorf("%d pages, and of batch:\n%s", len(pages), pages["scaling-batch.svg"])
	}
	if page := pages["scaling.md"]; !strings.Contains(page, "| 10 | 200 |") || strings.Index(page, "| 10 | 200 |") > strings.Index(page, "| 100 | 1,900 |") {
		t.Errorf("the table is not in order:\n%s", page)
	} else if !strings.Contains(page, "Medians of 2 to 3 runs at each value.") || !strings.Contains(page, "One run at each value.") {
		t.Errorf("it does not say how many runs there were:\n%s", page)
	}
}
