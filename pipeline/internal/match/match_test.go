package match_test

import (
	"slices"
	"testing"

	"github.com/wxenrich/wxenrich/pipeline/internal/match"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	row := func(openid, unionid string) match.Row {
		return match.Row{OpenID: openid, UnionID: unionid, Follows: true}
	}
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

func TestWitnesses(t *testing.T) {
	t.Parallel()
	ok := func(u string) match.Row { return match.Row{UnionID: u, Follows: true} }
	blank := match.Row{Follows: true}
	left := match.Row{}
	for _, tc := range []struct {
		name  string
		found []int
		rows  []match.Row
		bound bool
		fresh bool
		want  []int
		doubt match.Doubt
	}{
		{name: "nothing in question", found: []int{1, 0}, rows: []match.Row{ok("a"), ok("b")}},
		{name: "a follower without a unionid", found: []int{1, 0}, rows: []match.Row{ok("a"), blank}, want: []int{0}},
		{name: "a row missing", found: []int{-1, 0}, rows: []match.Row{ok("a")}, want: []int{0}},
		{name: "somebody who left long ago", found: []int{1, 0}, rows: []match.Row{ok("a"), left}},
		{name: "somebody who has just come", found: []int{1, 0}, rows: []match.Row{ok("a"), left}, fresh: true, want: []int{0}},
		{name: "of several the last row", found: []int{0, 2, 1}, rows: []match.Row{left, left, left}, bound: true, fresh: true, want: []int{1}},
		{name: "an account without unionids", found: []int{0, 1}, rows: []match.Row{blank, blank}},
		{name: "known to have them", found: []int{0, 1}, rows: []match.Row{blank, blank}, bound: true, want: []int{0, 1}},
		{name: "too many", found: []int{0, -1, -1, -1, -1}, rows: []match.Row{ok("a")}, doubt: match.ManyBlanks},
		{name: "alone and blank", found: []int{0}, rows: []match.Row{blank}, bound: true, want: []int{0}},
		{name: "alone and gone", found: []int{0}, rows: []match.Row{left}, bound: true, fresh: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, doubt := match.Witnesses(tc.found, tc.rows, tc.bound, func(int) bool { return tc.fresh })
			if !slices.Equal(got, tc.want) || doubt != tc.doubt {
				t.Errorf("Witnesses = %v %q, want %v %q", got, doubt, tc.want, tc.doubt)
			}
		})
	}
}
