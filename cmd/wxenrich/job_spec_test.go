package main

import (
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/dead"
	"github.com/wxenrich/wxenrich/pipeline/job"
)

func TestWhatAJobIsAskedFor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spec                      job.Spec
		asked, only, rate, answer string
	}{
		"everything": {},
		"a replay": {
			job.Spec{
				Asked: "since=2h until= from=0 to=0 subjects=wx.a.SCAN,wx.a.subscribe", Types: []string{"subscribe", "SCAN"}, OpenIDs: make([]string, 4),
				Rate: 2.5, Format: "json", Output: "wx.json.{appid}", MaxAge: time.Hour,
			},
			"since=2h subjects=wx.a.SCAN,wx.a.subscribe", "subject wx.a.SCAN, wx.a.subscribe; type subscribe, SCAN; 4 openids", "2.5/s", "in json; to wx.json.{appid}; also from look-ups of the last 1h00m",
		},
		"records": {job.Spec{Records: true}, "", "", "", "stored records encoded anew, without a call"},
		"a backfill": {
			job.Spec{Missing: true, SinceCrawl: "backfill-1", DryRun: true}, "", "without a record; since backfill-1", "", "none: a dry run",
		},
		"a redrive": {
			job.Spec{
				Asked:   "seqs= reasons=undecodable codes=[0] since= until= all=false",
				Letters: &job.Letters{Selection: dead.Selection{Reasons: []events.Reason{events.Undecodable}, Codes: []int{0}}, MaxHops: 5},
			},
			"reasons=undecodable codes=[0]", "reason undecodable; errcode 0; redriven less than 5 times", "", "",
		},
	} {
		for what, x := range map[string][2]string{
			"asked": {askedText(&c.spec), c.asked}, "only": {onlyText(&c.spec), c.only},
			"rate": {rateText(&c.spec), c.rate}, "answers": {makesText(&c.spec), c.answer},
		} {
			if x[0] != x[1] {
				t.Errorf("%s: %s %q, want %q", name, what, x[0], x[1])
			}
		}
	}
}
