package term_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
)

func plain() (*strings.Builder, term.Screen) {
	b := new(strings.Builder)
	return b, term.Of(b, func(string) string { return "" })
}

func TestTableLinesUpChinese(t *testing.T) {
	t.Parallel()
	b, s := plain()
	if err := s.Table([]string{"name", "n"}, [][]string{{"张三", "1"}, {"ab", "2"}, {"x\x1b[2J", "3"}}); err != nil {
		t.Fatal(err)
	}
	want := "name   n\n张三   1\nab     2\nx\ufffd[2J  3\n"
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestPairsLeaveOutWhatIsEmpty(t *testing.T) {
	t.Parallel()
	b, s := plain()
	if err := s.Pairs([][2]string{{"a", "1"}, {"much longer", ""}, {"bcd", "二"}}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff("a    1\nbcd  二\n", b.String()); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestPairsGoOnBelowThemselves(t *testing.T) {
	t.Parallel()
	b, s := plain()
	s.TTY, s.Width = true, 14
	if err := s.Pairs([][2]string{{"a", "one two three"}, {"bc", "四 five"}}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff("a\n    one two\n    three\nbc\n    四 five\n", b.String()); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	b.Reset()
	s.Width = 30
	if err := s.Pairs([][2]string{{"a", "one two three four five six"}, {"bc", "四"}}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff("a   one two three four five\n    six\nbc  四\n", b.String()); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestTableLeavesOutColumns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		tty   bool
		width int
		want  string
	}{
		{false, 5, "name      of  n\n张三四五  12  1\n"},
		{true, 15, "name      of  n\n张三四五  12  1\n"},
		{true, 14, "name      n\n张三四五  1\n"},
		{true, 10, "name\n张三四五\n"},
		{true, 5, "name\n张三…\n"},
	} {
		b, s := plain()
		s.TTY, s.Width = c.tty, c.width
		if err := s.Table([]string{"name", "of", "n"}, [][]string{{"张三四五", "12", "1"}}, "of", "absent", "n"); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, b.String()); d != "" {
			t.Errorf("%d columns, terminal %t: -want +got\n%s", c.width, c.tty, d)
		}
	}
}

func TestFitCutsOnATerminalOnly(t *testing.T) {
	t.Parallel()
	_, s := plain()
	s.Width = 5
	if got := s.Fit("一二三四"); got != "一二三四" {
		t.Errorf("cut without a terminal: %q", got)
	}
	s.TTY = true
	if got := s.Fit("一二三四"); got != "一二…" {
		t.Errorf("got %q", got)
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	show := func(s term.Screen) {
		p := term.NewProgress(s, start)
		for i := range 60 {
			p.Show(start.Add(time.Duration(i)*100*time.Millisecond), "%d done", i)
		}
		p.Done()
	}
	b, s := plain()
	if show(s); b.String() != "50 done\n" {
		t.Errorf("plain: %q", b.String())
	}
	b.Reset()
	s.TTY = true
	if show(s); strings.Count(b.String(), "\r") != 60 || strings.Contains(b.String(), "\n") || !strings.HasSuffix(b.String(), "\r\x1b[K") {
		t.Errorf("terminal: %q", b.String())
	}
}

func TestColour(t *testing.T) {
	t.Parallel()
	_, s := plain()
	if s.Bold("x") != "x" {
		t.Error("colour without a terminal")
	}
	s.Color = true
	if s.Bold("x") != "\x1b[1mx\x1b[0m" || s.Faint("") != "" {
		t.Errorf("got %q, %q", s.Bold("x"), s.Faint(""))
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	_, s := plain()
	if d := cmp.Diff([]string{"  one two\ufffd 三四 five"}, s.Wrap("  ", "one two\x1b 三四 five")); d != "" {
		t.Errorf("without a terminal: -want +got\n%s", d)
	}
	s.TTY, s.Width = true, 10
	want := []string{"  one two", "  三四 six", "  longerth", "  analine", "  end"}
	if d := cmp.Diff(want, s.Wrap("  ", "one two 三四 six longerthanaline end")); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	s.Width = 1
	if d := cmp.Diff([]string{"  四"}, s.Wrap("  ", "四")); d != "" {
		t.Errorf("no room at all: -want +got\n%s", d)
	}
}
