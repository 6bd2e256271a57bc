package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/events"
)

// recordHeader names the columns of recordCells.
var recordHeader = []string{"status", "openid", "unionid", "since", "scene", "tags", "remark"}

// recordCells is what a person looks for in a record. The nickname is not among
// it: it has been blank since 2021.
func recordCells(r *events.Record) []string {
	u := r.User
	return []string{string(r.Status), r.Event.OpenID, r.UnionID, day(u.SubscribeTime), scene(u), tags(u.TagIDs), u.Remark}
}

// day is a date in local time, empty for none.
func day(unix int64) string {
	if unix == 0 {
		return ""
	}
	return time.Unix(unix, 0).Format(time.DateOnly)
}

// scene is how somebody came to follow, and by which QR code.
func scene(u events.User) string {
	s := strings.TrimPrefix(u.SubscribeScene, "ADD_SCENE_")
	switch {
	case u.QRSceneStr != "":
		return s + " " + u.QRSceneStr
	case u.QRScene != 0:
		return s + " " + strconv.FormatUint(uint64(u.QRScene), 10)
	}
	return s
}

func tags(ids []int64) string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = strconv.FormatInt(id, 10)
	}
	return strings.Join(out, ",")
}

// printer prints a record as the flags say.
func (t tailFlags) printer(a *app) func(*events.Record) error {
	if t.json {
		return func(r *events.Record) error { return printJSON(a, r) }
	}
	screen := term.Of(a.out, a.getenv)
	widths := []int{8, 13, 28, 28, 10, 20, 6} // of usual values; longer ones push the rest aside
	return func(r *events.Record) error {
		cells := append([]string{r.FetchedAt.Local().Format(time.TimeOnly)}, recordCells(r)...)
		_, err := fmt.Fprintln(screen, screen.Row(cells, widths))
		return err
	}
}

// printJSON prints a record in one line.
func printJSON(a *app, r *events.Record) error {
	line, err := r.Append(nil, events.JSON)
	if err != nil {
		return err
	}
	_, err = a.out.Write(append(line, '\n'))
	return err
}

// recordPairs is all that WeChat says of one person, and how we know.
func recordPairs(r *events.Record) [][2]string {
	u := r.User
	return [][2]string{
		{"openid", r.Event.OpenID},
		{"status", string(r.Status)},
		{"unionid", r.UnionID},
		{"since", day(u.SubscribeTime)},
		{"scene", scene(u)},
		{"tags", tags(u.TagIDs)},
		{"remark", u.Remark},
		{"nickname", u.Nickname},
		{"place", strings.TrimSpace(u.Country + " " + u.Province + " " + u.City)},
		{"avatar", u.HeadImgURL},
		{"language", u.Language},
		{"asked", r.FetchedAt.Local().Format(time.DateTime) + " by " + r.Source},
	}
}
