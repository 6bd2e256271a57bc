package match

import (
	"strconv"
	"testing"
)

func TestKnown(t *testing.T) {
	t.Parallel()
	var k Known
	want := func(openid, unionid string, wantSame, wantKnown bool) {
		t.Helper()
		if same, known := k.Compare(openid, unionid); same != wantSame || known != wantKnown {
			t.Errorf("Compare(%s, %s) = %v %v, want %v %v", openid, unionid, same, known, wantSame, wantKnown)
		}
	}
	want("a", "ua", false, false)
	k.Learn("a", "ua")
	want("a", "ua", true, true)
	want("a", "ub", false, true)
	want("b", "ua", false, false)
	k.Learn("a", "ub")
	want("a", "ub", true, true)
	want("a", "ua", false, true)
}

func TestKnownForgetsWhoWasAnsweredLongestAgo(t *testing.T) {
	t.Parallel()
	var k Known
	k.Learn("regular", "u")
	k.Learn("once", "u")
	for i := range 3 * knownMax {
		if i%1000 == 0 {
			k.Learn("regular", "u")
		}
		k.Learn(strconv.Itoa(i), "u")
	}
	if n := k.now.n + k.before.n; n > 2*knownMax {
		t.Errorf("%d people are remembered, want %d at most", n, 2*knownMax)
	}
	for openid, want := range map[string]bool{"once": false, "regular": true, strconv.Itoa(3*knownMax - 1): true} {
		if _, known := k.Compare(openid, "u"); known != want {
			t.Errorf("%s known: %v, want %v", openid, known, want)
		}
	}
}

// BenchmarkBatch is what is done with an answer of 100 rows before it is
// believed, and after.
func BenchmarkBatch(b *testing.B) {
	asked, rows := make([]string, 100), make([]Row, 100)
	for i := range rows {
		asked[i] = "o6_bmjrPTlm6_2sgVt7hMZOPf" + strconv.Itoa(100+i)
		rows[i] = Row{OpenID: asked[i], UnionID: "o6_bmasdasdsad6_2sgVt7hMZOPf" + strconv.Itoa(i), Follows: true}
	}
	b.Run("match", func(b *testing.B) {
		for b.Loop() {
			Match(asked, rows)
		}
	})
	b.Run("known", func(b *testing.B) {
		var k Known
		for i := range knownMax {
			k.Learn(strconv.Itoa(i), "u")
		}
		for b.Loop() {
			for _, r := range rows {
				k.Compare(r.OpenID, r.UnionID)
				k.Learn(r.OpenID, r.UnionID)
			}
		}
	})
}
