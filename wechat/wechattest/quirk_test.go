package wechattest_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

func (s service) wantCode(t *testing.T, want int, qs []wechat.Query) {
	t.Helper()
	_, err := s.client.BatchGet(t.Context(), qs)
	if want == 0 && err != nil || want != 0 && !errors.Is(err, &wechat.Error{Code: want}) {
		t.Errorf("error %v, want errcode %d", err, want)
	}
}

func TestUnknownOpenIDs(t *testing.T) {
	t.Parallel()
	// The unknown one stands between persons 1 and 2.
	ask := func(t *testing.T, unknown wechattest.Unknown) (service, []wechat.User, error) {
		s := start(t, wechattest.AccountConfig{Followers: 10, Quirks: wechattest.Quirks{Unknown: unknown, KeepOrder: true}})
		qs := slices.Insert(s.queries(0, 1, 2, 3), 2, wechat.Query{OpenID: s.UnknownOpenID(9)})
		users, err := s.client.BatchGet(t.Context(), qs)
		return s, users, err
	}
	if _, _, err := ask(t, wechattest.UnknownRefused); !errors.Is(err, &wechat.Error{Code: 40003}) {
		t.Errorf("refused: %v", err)
	}
	if _, users, err := ask(t, wechattest.UnknownOmitted); err != nil || len(users) != 4 {
		t.Errorf("omitted: %d rows, %v", len(users), err)
	}
	if _, users, err := ask(t, wechattest.UnknownAbsent); err != nil || len(users) != 5 || users[2].Subscribe != 0 {
		t.Errorf("absent: %+v, %v", users, err)
	}
	s, users, err := ask(t, wechattest.UnknownShiftsUnionID)
	if err != nil || len(users) != 4 {
		t.Fatalf("shifted: %d rows, %v", len(users), err)
	}
	for i, want := range []string{s.union(0), s.union(1), s.union(3), ""} {
		if users[i].UnionID != want || users[i].OpenID != s.OpenID(i) {
			t.Errorf("row %d: %s has unionid %q, want %q", i, users[i].OpenID, users[i].UnionID, want)
		}
	}
}

func TestDuplicates(t *testing.T) {
	t.Parallel()
	for quirk, want := range map[wechattest.Duplicates]int{wechattest.DuplicatesTwice: 3, wechattest.DuplicatesOnce: 2, wechattest.DuplicatesRefused: 0} {
		s := start(t, wechattest.AccountConfig{Followers: 10, Quirks: wechattest.Quirks{Duplicates: quirk}})
		users, err := s.client.BatchGet(t.Context(), s.queries(1, 2, 1))
		if len(users) != want || (want == 0) != errors.Is(err, &wechat.Error{Code: 40003}) {
			t.Errorf("quirk %d: %d rows, %v, want %d", quirk, len(users), err, want)
		}
	}
}

func TestSmallerBatches(t *testing.T) {
	t.Parallel()
	s := start(t, wechattest.AccountConfig{Followers: 100, Quirks: wechattest.Quirks{MaxBatch: 99}})
	s.wantCode(t, 40032, s.queries(upTo(100)...))
	s.wantCode(t, 0, s.queries(upTo(99)...))
}

func TestOrder(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{true, false} {
		s := start(t, wechattest.AccountConfig{Followers: 100, Quirks: wechattest.Quirks{KeepOrder: keep}})
		users, err := s.client.BatchGet(t.Context(), s.queries(upTo(100)...))
		if err != nil {
			t.Fatal(err)
		}
		kept := true
		for i, u := range users {
			kept = kept && u.OpenID == s.OpenID(i)
		}
		if kept != keep {
			t.Errorf("KeepOrder %v, but order kept: %v", keep, kept)
		}
	}
}

func TestFollowBecomesVisible(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := start(t, wechattest.AccountConfig{Followers: 10, Quirks: wechattest.Quirks{VisibleAfter: time.Second}})
		q := wechat.Query{OpenID: s.OpenID(12)}
		s.wantCode(t, 40003, []wechat.Query{q})
		s.Follow(q.OpenID)
		for _, want := range []int{0, 1} {
			u, err := s.client.UserInfo(t.Context(), q)
			if err != nil || u.Subscribe != want {
				t.Errorf("%v after the follow: subscribe %d, %v, want %d", want, u.Subscribe, err, want)
			}
			if want == 1 && u.SubscribeTime != time.Now().Add(-time.Second).Unix() {
				t.Errorf("subscribe_time %d, want the follow's", u.SubscribeTime)
			}
			time.Sleep(time.Second)
		}
		s.Unfollow(q.OpenID)
		if u, err := s.client.UserInfo(t.Context(), q); err != nil || u.Subscribe != 0 || u.SubscribeTime != 0 || u.UnionID != "" {
			t.Errorf("after the unfollow: %+v, %v", u, err)
		}
	})
}

func TestDailyQuota(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		quirks wechattest.Quirks
		first  int // openids of the first call, of a quota of 10
		used   int64
		single bool // user/info spends the same
	}{
		"a call costs one":    {wechattest.Quirks{}, 9, 1, false},
		"an openid costs one": {wechattest.Quirks{CostPerOpenID: true}, 9, 9, false},
		"shared":              {wechattest.Quirks{SharedQuota: true}, 9, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				// The bubble's clock begins at 08:00 in Beijing.
				s := start(t, wechattest.AccountConfig{Followers: 100, Quirks: c.quirks, Limits: wechattest.Limits{UserInfo: 10}})
				s.wantCode(t, 0, s.queries(upTo(c.first)...))
				quota, err := s.client.Quota(t.Context(), "/cgi-bin/user/info/batchget")
				if want := (wechat.Quota{Daily: 10, Used: c.used, Remain: 10 - c.used}); err != nil || quota != want {
					t.Errorf("quota %+v, %v, want %+v", quota, err, want)
				}
				for range 10 - c.used {
					s.wantCode(t, 0, s.queries(1))
				}
				s.wantCode(t, 45009, s.queries(1))
				if _, err := s.client.UserInfo(t.Context(), s.queries(1)[0]); (err != nil) != c.single {
					t.Errorf("user/info: %v", err)
				}
				time.Sleep(16*time.Hour - time.Second)
				s.wantCode(t, 45009, s.queries(1))
				time.Sleep(time.Second)
				s.wantCode(t, 0, s.queries(1))
			})
		})
	}
}

func TestMinuteLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := start(t, wechattest.AccountConfig{Followers: 100, Limits: wechattest.Limits{PerMinute: 2}})
		time.Sleep(59 * time.Second)
		s.wantCode(t, 0, s.queries(1))
		s.wantCode(t, 0, s.queries(1))
		s.wantCode(t, 45011, s.queries(1))
		time.Sleep(time.Second)
		s.wantCode(t, 0, s.queries(1))
	})
}

func TestResetAt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := start(t, wechattest.AccountConfig{Followers: 100, Limits: wechattest.Limits{UserInfo: 1}, Quirks: wechattest.Quirks{ResetAt: 10 * time.Minute}})
		s.wantCode(t, 0, s.queries(1))
		time.Sleep(16*time.Hour + 9*time.Minute)
		s.wantCode(t, 45009, s.queries(1))
		time.Sleep(time.Minute)
		s.wantCode(t, 0, s.queries(1))
	})
}
