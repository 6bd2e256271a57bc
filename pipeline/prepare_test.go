package pipeline_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// prepared gives a lane a secret, and has it fetch its token when it begins.
func (w *world) prepared(secret string) (tokens *wechat.Tokens, option func(*pipeline.Deps)) {
	w.Helper()
	tokens = w.tokens(appid, secret)
	client, err := wechat.New(wechat.Config{AppID: appid, BaseURL: w.api, Tokens: tokens, Transport: w.transport})
	if err != nil {
		w.Fatal(err)
	}
	return tokens, func(d *pipeline.Deps) {
		d.WeChat = client
		d.Prepare = func(ctx context.Context) error { _, err := tokens.Token(ctx); return err }
	}
}

// An account that has no token is on hold although nobody waits for it, stays so at
// the cost of hardly any call, and goes on as soon as what was wrong is mended: in
// place, or by a start with the right secret.
func TestIdleAccountWithoutAToken(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		kv := w.bucket()
		tokens, wrong := w.prepared("not the secret")
		mended := make(chan bool, 1)
		lane := w.start(lifelike(), w.board(kv), wrong, func(d *pipeline.Deps) {
			d.Renewed = func() bool {
				select {
				case <-mended:
					return true
				default:
					return false
				}
			}
		})
		held := func(lane *running) func() bool { return func() bool { return lane.State().Phase == pipeline.Held } }
		began := time.Now()
		w.until("it is on hold", held(lane))
		if h := lane.State().Hold; h.Reason != pipeline.HoldOperator || h.Code == 0 || h.Hint == "" || !h.Token || time.Since(began) > 5*time.Second {
			t.Errorf("after %v: %+v", time.Since(began), h)
		}
		time.Sleep(time.Hour)
		if s := lane.State(); s.Phase != pipeline.Held {
			t.Errorf("an hour later: %+v", s)
		}
		if n := w.acc.Stats().Calls[stableToken]; n < 6 || n > 10 {
			t.Errorf("%d fetches in an hour", n)
		}
		tokens.SetSecret(secret)
		mended <- true
		time.Sleep(5 * time.Second)
		if s := lane.State(); !s.Ready() {
			t.Errorf("five seconds after it was mended: %+v", s)
		}
		lane.stop()

		_, wrong = w.prepared("not the secret either")
		lane = w.start(lifelike(), w.board(kv), wrong)
		w.until("it is on hold again", held(lane))
		lane.stop()
		_, right := w.prepared(secret)
		lane = w.start(lifelike(), w.board(kv), right)
		time.Sleep(5 * time.Second)
		if s := lane.State(); !s.Ready() {
			t.Errorf("five seconds after a start with the right secret: %+v", s)
		}
		if n := w.asked(); n != 0 {
			t.Errorf("%d calls for nobody", n)
		}
		w.publish(3, w.openid)
		w.answers(3)
	})
}

// A hold for another reason is not tried at each start, and a token that does not
// come for now is waited for.
func TestTokenThatComesLater(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		kv := w.bucket()
		hang := w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: stableToken}, Do: wechattest.Action{Hang: true}})
		_, right := w.prepared(secret)
		lane := w.start(lifelike(), w.board(kv), right)
		time.Sleep(5 * time.Minute)
		if s := lane.State(); !s.Ready() || s.WeChat == "" {
			t.Errorf("WeChat does not answer: %+v", s)
		}
		hang()
		time.Sleep(time.Minute)
		if s := lane.State(); s.WeChat != "" {
			t.Errorf("it does again: %+v", s)
		}
		mend := w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget}, Do: wechattest.Action{Code: 48001}})
		w.publish(3, w.openid)
		w.until("it is on hold", func() bool { return lane.State().Phase == pipeline.Held })
		lane.stop()
		before := w.asked()
		lane = w.start(lifelike(), w.board(kv), right)
		time.Sleep(30 * time.Second)
		if s := lane.State(); s.Phase != pipeline.Held || w.asked() != before {
			t.Errorf("%d calls at the start of an account on hold: %+v", w.asked()-before, s)
		}
		mend()
		w.answers(3)
	})
}

// unread is why a secret cannot be read on this machine.
type unread struct{ error }

func (unread) Here() bool { return true }

// A replica that cannot read the secret says so and holds nobody else up: it is one
// bad machine of a rollout.
func TestSecretThatOneReplicaCannotRead(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		kv := w.bucket()
		lame := w.start(lifelike(), w.board(kv), func(d *pipeline.Deps) {
			d.Prepare = func(context.Context) error {
				return &wechat.Error{Op: "secret", Class: wechat.Operator, Err: unread{errors.New("no such file")}}
			}
		})
		w.until("it is on hold", func() bool { return lame.State().Phase == pipeline.Held })
		if h := lame.State().Hold; h.Reason != pipeline.HoldOperator || !h.Own() {
			t.Errorf("hold: %+v", h)
		}
		_, right := w.prepared(secret)
		sound := w.start(lifelike(), w.board(kv), right)
		w.publish(100, w.openid)
		w.answers(100)
		if lame.State().Phase != pipeline.Held || !sound.State().Ready() {
			t.Errorf("one is %+v, the other %+v", lame.State(), sound.State())
		}
	})
}
