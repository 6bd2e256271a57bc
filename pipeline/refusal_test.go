package pipeline_test

import (
	"strings"
	"testing"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// TestRefusals has everybody refused in a way that is not one person's, and
// looks at the reason and the advice of the hold.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do     wechattest.Action
		reason string
		hint   string
	}{
		"address":             {wechattest.Action{Code: 40164}, pipeline.HoldAddress, "IP whitelist"},
		"permission":          {wechattest.Action{Code: 48001}, pipeline.HoldOperator, "verify the account"},
		"nobody ever worked":  {wechattest.Action{Code: 40003}, pipeline.HoldWrongAccount, "the people it lists itself"},
		"every token":         {wechattest.Action{Code: 40001}, pipeline.HoldStolenToken, "write the present token"},
		"status without code": {wechattest.Action{Status: 403, HTML: true}, pipeline.HoldUnknown, "proxy"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, wechattest.AccountConfig{})
			w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget}, Do: c.do})
			w.publish(200, w.openid)
			lane := w.start(config(), func(d *pipeline.Deps) { d.TokenHint = "write the present token" })
			w.until("the account is on hold", func() bool { return lane.State().Phase == pipeline.Held })
			if h := lane.State().Hold; h.Reason != c.reason || h.Code != c.do.Code || !strings.Contains(h.Hint, c.hint) {
				t.Errorf("hold: %+v", h)
			}
		})
	}
}
