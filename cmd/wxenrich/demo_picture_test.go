package main

import (
	"strings"
	"testing"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/events"
)

// TestPictureShowsTheRemark is about terminals of the usual widths: whatever is
// cut off, it is not what the demo is to show.
func TestPictureShowsTheRemark(t *testing.T) {
	t.Parallel()
	r := events.Record{
		Event:   events.Event{OpenID: "o_-QsSTSPr0kmjpChLsGyi5fYG3G"},
		UnionID: "oSRCbuaXD6h93DMq-tU4RwvIIMxt", Status: events.Following,
		User: events.User{SubscribeScene: "ADD_SCENE_WECHAT_ADVERTISEMENT", TagIDs: []int64{147, 104, 111}, Remark: "展会认识 🐼"},
	}
	for _, width := range []int{80, 100, 120, 200} {
		screen := term.Screen{TTY: true, Width: width}
		layout := layoutFor(width)
		row := screen.Row(layout.cells(&r), layout.widths)
		for _, want := range []string{"yi5fYG3G", "wvIIMxt", "ADVERTISEMENT", "147,104,111", "展会认识"} {
			if !strings.Contains(row, want) {
				t.Errorf("%d columns: no %q in %q", width, want, row)
			}
		}
	}
}
