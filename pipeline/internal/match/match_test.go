package match_test

import (
	"slices"
	"testing"

	"github.com/wxenrich/wxenrich/pipeline/internal/match"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	row := func(openid, unionid string) match.Row { return match.Row{OpenID: openid, UnionID: unionid} }
	for _, tc := range []struct {
		name  string
		rows  []match.Row
		found []int
		doubt match.Doubt
	}{
		{"in order", []match.Row{row("a", "ua"), row("b", "ub"), row("c", "uc")}, []int{0, 1, 2}, match.None},
		{"shuffled", []match.Row{row("c", "uc"), row("a", "ua"), row("b", "ub")}, []int{1, 2, 0}, match.None},
		{"no unionids", []match.Row{row("a", ""), row("b", ""), row("c", "")}, []int{0, 1, 2}, match.None},
		{"one missing", []match.Row{row("c", "uc"), row("a", "ua")}, []int{1, -1, 0}, match.None},
		{"none at all", nil, []int{-1, -1, -1}, match.None},
		{"doubled", []match.Row{row("a", "ua"), row("a", "ua"), row("b", "ub")}, []int{0, 2, -1}, match.Doubled},
		{"unasked", []match.Row{row("a", "ua"), row("x", "ux"), row("b", "ub")}, []int{0, 2, -1}, match.Unasked},
		{"without openid", []match.Row{row("a", "ua"), row("", "")}, []int{0, -1, -1}, match.Unasked},
		{"unionid twice", []match.Row{row("a", "ua"), row("b", "ua"), row("c", "uc")}, []int{0, 1, 2}, match.UnionIDTwice},
		{"first doubt wins", []match.Row{row("x", ""), row("a", "u"), row("b", "u")}, []int{1, 2, -1}, match.Unasked},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			found, doubt := match.Match([]string{"a", "b", "c"}, tc.rows)
			if !slices.Equal(found, tc.found) || doubt != tc.doubt {
				t.Errorf("Match = %v %q, want %v %q", found, doubt, tc.found, tc.doubt)
			}
		})
	}
}
