package wechat

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the page of errcodes")

// pageHead explains the columns.
const pageHead = `# WeChat's errcodes

This page is generated from the tables in package ` + "`wechat`" + `, the ones that wxenrich
decides by: run ` + "`go test ./wechat -run TestErrcodePage -update`" + ` after a change.

One errcode means different things to different endpoints. *Endpoint* is ` + "`token`" + ` for
the calls that fetch an access token, ` + "`data`" + ` for all that are made with one, ` + "`any`" + `
for both. Endpoint and errcode give the class, the class gives the reaction.

A *hold* is the account's alone, and loses nothing: its events stay in the stream.

## Classes

| class | reaction |
|---|---|
`

const statusHead = `
## To overrule the table

WeChat adds codes without notice. An account can give a code another class, for one kind of endpoint or for
both; what is said here goes before the table:

` + "```yaml" + `
accounts:
  - appid: wx0123456789abcdef
    errcodes:
      12345: operator           # whoever answers it
      data/48001: transient     # data calls only
      token/-1: operator        # the calls that fetch a token only
` + "```" + `

or ` + "`WXENRICH_ACCOUNTS_0_ERRCODES=12345=operator,data/48001=transient`" + `. Classes about the token and the openids of a
call (` + "`stale_token`, `bad_openid`, `not_following`, `batch_size`" + `) are for data calls only.

## Answers without an errcode

WeChat documents none of these. The first row that has the status counts, but an errcode in the body, if it is
known, counts more.

| HTTP status | class | meaning | reaction | what you do |
|---|---|---|---|---|
`

const codeHead = `
## Errcodes

| errcode | endpoint | class | meaning | reaction | what you do |
|---|---|---|---|---|---|
`

func errcodePage() string {
	var b strings.Builder
	b.WriteString(pageHead)
	for _, c := range Classes() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", c, c.Reaction())
	}
	b.WriteString(statusHead)
	for _, row := range Statuses() {
		status := strconv.Itoa(row.From)
		switch {
		case row.To == 0:
			status = "none"
		case row.To != row.From:
			status += "–" + strconv.Itoa(row.To)
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s |\n", status, row.Class, row.Meaning, row.Class.Reaction(), row.Action)
	}
	b.WriteString(codeHead)
	for _, row := range Table() {
		fmt.Fprintf(&b, "| %d | %s | `%s` | %s | %s | %s |\n", row.Code, row.Kind, row.Class, row.Meaning, row.Class.Reaction(), row.Action)
	}
	return b.String()
}

// TestErrcodePage holds the page that operators read against the table.
func TestErrcodePage(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "deploy", "docs", "errcodes.md")
	got := errcodePage()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is out of date, run this test with -update; -page +table\n%s", path, diff)
	}
}
