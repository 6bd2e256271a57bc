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
	const nobody = -1
	for _, tc := range []struct {
		name   string
		found  []int
		rows   []match.Row
		expect match.Expect
		miss   []int
		lack   []int
		check  int
		doubt  match.Doubt
	}{
		{name: "nothing in question", found: []int{1, 0}, rows: []match.Row{ok("a"), ok("b")}, check: nobody},
		{name: "a follower without a unionid", found: []int{1, 0}, rows: []match.Row{ok("a"), blank}, lack: []int{0}, check: 1},
		{name: "a row missing", found: []int{-1, 0}, rows: []match.Row{ok("a")}, miss: []int{0}, check: nobody},
		{name: "somebody who left", found: []int{1, 0}, rows: []match.Row{left, ok("a")}, check: nobody},
		{name: "and who has the last row", found: []int{1, 0}, rows: []match.Row{ok("a"), left}, check: 1},
		{name: "several of them", found: []int{2, 3, 0, 1}, rows: []match.Row{ok("a"), ok("b"), left, left}, check: 3},
		{name: "nobody is left", found: []int{0, 2, 1}, rows: []match.Row{left, left, left}, expect: match.Always, check: nobody},
		{name: "an account without unionids", found: []int{0, 1}, rows: []match.Row{blank, blank}, check: nobody},
		{name: "known to have them", found: []int{0, 1}, rows: []match.Row{blank, blank}, expect: match.Always, lack: []int{0, 1}, check: nobody},
		{name: "not to be missed", found: []int{1, 0, -1}, rows: []match.Row{ok("a"), blank}, expect: match.Never, miss: []int{2}, lack: []int{0}, check: 1},
		{name: "not to be missed in the middle", found: []int{0, 1, 2}, rows: []match.Row{ok("a"), blank, ok("b")}, expect: match.Never, check: nobody},
		{name: "too many", found: []int{0, -1, -1, -1, -1}, rows: []match.Row{ok("a")}, check: nobody, doubt: match.ManyBlanks},
		{name: "alone and blank", found: []int{0}, rows: []match.Row{blank}, expect: match.Always, lack: []int{0}, check: nobody},
		{name: "alone and gone", found: []int{0}, rows: []match.Row{left}, expect: match.Always, check: nobody},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			miss, lack, check, doubt := match.Witnesses(tc.found, tc.rows, tc.expect)
			if !slices.Equal(miss, tc.miss) || !slices.Equal(lack, tc.lack) || check != tc.check || doubt != tc.doubt {
				t.Errorf("Witnesses = %v %v %d %q, want %v %v %d %q", miss, lack, check, doubt, tc.miss, tc.lack, tc.check, tc.doubt)
			}
		})
	}
}
