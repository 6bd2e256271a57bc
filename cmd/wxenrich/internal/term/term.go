package term

import (
	"io"
	"os"

	"golang.org/x/term"
)

// DefaultWidth is the width of what is no terminal.
const DefaultWidth = 100

// Screen is where a command prints.
type Screen struct {
	io.Writer
	TTY   bool
	Color bool
	Width int // columns

	Height int // lines; 0: unknown, or no terminal
}

// Of looks at what w is. getenv is os.Getenv.
func Of(w io.Writer, getenv func(string) string) Screen {
	s := Screen{Writer: w, Width: DefaultWidth}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return s
	}
	s.TTY = true
	s.Color = getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
	if width, height, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		s.Width, s.Height = width, height
	}
	return s
}

// Bold emphasises s where there is colour.
func (s Screen) Bold(text string) string { return s.style("1", text) }

// Faint tones text down where there is colour.
func (s Screen) Faint(text string) string { return s.style("2", text) }

func (s Screen) style(code, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
