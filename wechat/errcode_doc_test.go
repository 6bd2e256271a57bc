package wechat

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the page of errcodes")

// pageHead explains the columns; what a class means is said there once.
const pageHead = `# WeChat's errcodes

This page is generated from the table in package ` + "`wechat`" + `, the one that wxenrich
decides by: run ` + "`go test ./wechat -run TestErrcodePage -update`" + ` after a change.

One errcode means different things to different endpoints. *Endpoint* is ` + "`token`" + ` for
the calls that fetch an access token, ` + "`data`" + ` for all that are made with one, ` + "`any`" + `
for both.

| class | what wxenrich does |
|---|---|
`

// reactions is what the service makes of each class, in the order of the page.
var reactions = []struct {
	class Class
	does  string
}{
	{Transient, "waits and asks again for as long as it lasts; a batch that times out twice is halved"},
	{StaleToken, "fetches a new token and asks again at once; if that keeps failing, the account goes on hold"},
	{BadOpenID, "finds the openid by splitting the batch; it becomes a dead letter (`rejected`), the others get their records"},
	{NotFollowing, "finds the openid in the same way and answers with a record of status `not_following`"},
	{BatchSize, "asks for fewer openids in one call"},
	{MinuteLimit, "waits for the next minute"},
	{DailyQuota, "puts the account on hold; tries once after a minute, then after midnight in Beijing"},
	{Operator, "puts the account on hold and tries again every 1 to 15 minutes, until somebody has acted"},
	{Bug, "puts the account on hold: our request is malformed, and so will the next one be"},
	{Unknown, "asks again up to five times; an openid that alone keeps failing while others succeed becomes a dead letter (`exhausted`)"},
}

func errcodePage(t *testing.T) string {
	var b strings.Builder
	b.WriteString(pageHead)
	explained := map[Class]bool{}
	for _, r := range reactions {
		explained[r.class] = true
		fmt.Fprintf(&b, "| `%s` | %s |\n", r.class, r.does)
	}
	b.WriteString("\nA hold stops that account only, and loses nothing: its events stay in the stream.\n\n" +
		"| errcode | endpoint | class | meaning | what you do |\n|---|---|---|---|---|\n")
	for _, row := range Table() {
		if !explained[row.Class] {
			t.Errorf("%d: class %s is not explained", row.Code, row.Class)
		}
		fmt.Fprintf(&b, "| %d | %s | `%s` | %s | %s |\n", row.Code, row.Kind, row.Class, row.Meaning, cmp.Or(row.Action, "none"))
	}
	return b.String()
}

// TestErrcodePage holds the page that operators read against the table.
func TestErrcodePage(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "deploy", "docs", "errcodes.md")
	got := errcodePage(t)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is out of date, run this test with -update; -page +table\n%s", path, diff)
	}
}
