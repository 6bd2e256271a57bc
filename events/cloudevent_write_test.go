package events

import "testing"

func TestCEEscape(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"WX_EVENTS:42:1772353800123456789:r1": "WX_EVENTS:42:1772353800123456789:r1",
		`a b"c%d`:                             "a%20b%22c%25d",
		"流:1\n":                               "%E6%B5%81:1%0A",
	} {
		if got := ceEscape(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
		if back := ceHeader(map[string][]string{"ce-id": {want}}, "id"); back != in {
			t.Errorf("%q is read as %q", want, back)
		}
	}
}
