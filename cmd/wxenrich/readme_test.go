package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/events"
)

// readmes are the documents by language.
var readmes = map[string]string{"en": "../../README.md", "zh": "../../README.zh-CN.md"}

// block is one fenced piece of a README. What it is good for stands in an HTML
// comment in the line above it, which no reader sees:
//
//	<!-- run: SCENE -->                               a script
//	<!-- run: SCENE, in the background until "x" -->  a command that goes on
//	<!-- not run: REASON -->
//	<!-- config -->, <!-- record -->                  a whole file, a whole record
type block struct {
	lang, note, text string
}

var noteLine = regexp.MustCompile(`^<!-- (.*) -->$`)

// blocks cuts a README into its fenced blocks.
func blocks(t *testing.T, path string) []block {
	t.Helper()
	var all []block
	var open *block
	note := ""
	for line := range strings.Lines(read(t, path)) {
		text := strings.TrimRight(line, "\n")
		switch lang, fence := strings.CutPrefix(text, "```"); {
		case fence && open == nil:
			open = &block{lang: lang, note: note}
		case fence:
			all = append(all, *open)
			open, note = nil, ""
		case open != nil:
			open.text += line
		case text != "":
			note = ""
			if m := noteLine.FindStringSubmatch(text); m != nil {
				note = m[1]
			}
		}
	}
	if open != nil || len(all) < 4 {
		t.Fatalf("%s: %d blocks, the last still open: %v", path, len(all), open != nil)
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

var comment = regexp.MustCompile(`(?m)(^|\s)#.*$\n?`)

// TestREADMEsSayTheSame holds the translation to the original: the same blocks
// in the same order, but for comments, so that running one runs both.
func TestREADMEsSayTheSame(t *testing.T) {
	t.Parallel()
	said := map[string][]block{}
	for lang, path := range readmes {
		for _, b := range blocks(t, path) {
			if b.lang == "sh" && !strings.HasPrefix(b.note, "run: ") && !strings.HasPrefix(b.note, "not run: ") {
				t.Errorf("%s: a block that nobody runs:\n%s", path, b.text)
			}
			if b.lang == "sh" || b.lang == "yaml" {
				b.text = comment.ReplaceAllString(b.text, "")
			}
			said[lang] = append(said[lang], b)
		}
	}
	if d := cmp.Diff(said["en"], said["zh"], cmp.AllowUnexported(block{})); d != "" {
		t.Errorf("-English +Chinese\n%s", d)
	}
}

// TestREADMESamples loads the configuration and decodes the record.
func TestREADMESamples(t *testing.T) {
	t.Parallel()
	for _, path := range readmes {
		var configs, records int
		for _, b := range blocks(t, path) {
			switch b.note {
			case "config":
				configs++
				file := filepath.Join(t.TempDir(), "wxenrich.yaml")
				write(t, file, b.text)
				if _, err := config.Load(config.Options{Path: file, Environ: []string{"WX_SECOND_SECRET=s"}, Accounts: true}); err != nil {
					t.Errorf("%s: %v", path, err)
				}
			case "record":
				records++
				r, err := events.ParseRecord(map[string][]string{"Content-Type": {"application/json"}}, []byte(b.text))
				if err != nil || r.Event.OpenID == "" || r.UnionID == "" || r.Status != events.Following || r.User.SubscribeTime == 0 {
					t.Errorf("%s: %v: %+v", path, err, r)
				}
			}
		}
		if configs != 3 || records != 1 {
			t.Errorf("%s: %d configurations and %d records, want three and one", path, configs, records)
		}
	}
}

// TestREADMENamesEverything finds what a README has forgotten to mention.
func TestREADMENamesEverything(t *testing.T) {
	t.Parallel()
	var names []string
	each(newRoot(&app{}), func(c *cobra.Command) {
		if c.HasParent() && !c.Parent().HasParent() && c.Name() != "help" {
			names = append(names, "`wxenrich "+c.Name()+"`")
		} else if c.HasParent() && c.Parent().Name() == "config" {
			names = append(names, "`"+c.Name()+"`")
		}
	})
	for _, r := range events.Reasons() {
		names = append(names, "`"+string(r)+"`")
	}
	for _, path := range readmes {
		mentioned(t, path, names)
	}
}

// mentioned fails the test for each name that does not stand in the file.
func mentioned(t *testing.T, path string, names []string) {
	t.Helper()
	text := read(t, path)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if !strings.Contains(text, name) {
			t.Errorf("%s does not mention %s", path, name)
		}
	}
}
