package wxapi_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/wxapi"
)

// giver is a token server without a network.
type giver struct {
	token string
	asked int
	told  int // how often it was told of a refusal
	hangs bool
	after string // Retry-After of a refusal
}

func (g *giver) RoundTrip(r *http.Request) (*http.Response, error) {
	g.asked++
	if r.Header.Get("Wx-Rejected-Token-Sha256") != "" {
		g.told++
	}
	if g.hangs {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	status := http.StatusOK
	switch {
	case g.after != "":
		status = http.StatusTooManyRequests
	case g.token == "":
		status = http.StatusUnauthorized
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {g.after}}, Body: io.NopCloser(strings.NewReader(`{"access_token":"` + g.token + `","expires_in":7200}`))}, nil
}

// held lets a lane on hold ask every two seconds, as a lane does, and returns
// how often there was something new.
func held(api *wxapi.API, d time.Duration) (renewed int) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(2 * time.Second) {
		if api.Renewed() {
			renewed++
		}
	}
	synctest.Wait()
	return renewed
}

func giverAPI(t *testing.T, g *giver) *wxapi.API {
	t.Helper()
	a := config.NewAccount(appid)
	a.Token.Source, a.Token.URL = "url", "http://tokens"
	api, err := wxapi.New(a, wxapi.Options{Getenv: noEnv, Transport: g})
	if err != nil {
		t.Fatal(err)
	}
	return api
}

// A token of the wrong account is not refused, and is mended at the server.
func TestHoldLooksForAnotherToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &giver{token: "wrong"}
		api := giverAPI(t, g)
		defer api.Close()
		if n := held(api, 5*time.Minute); n != 0 {
			t.Errorf("new %d times: the first token is not new, nor is the same again", n)
		}
		g.token = "right"
		if n := held(api, 22*time.Second); n != 1 {
			t.Errorf("another token is new %d times, want once within 22 s", n)
		}
		g.token = ""
		if n := held(api, time.Minute); n != 0 {
			t.Errorf("a failure is new %d times", n)
		}
		if g.told != 0 {
			t.Errorf("told of %d refusals that there were not", g.told)
		}
	})
}

func TestLongHoldAsksSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &giver{token: "wrong"}
		api := giverAPI(t, g)
		defer api.Close()
		held(api, 10*time.Minute)
		if g.asked < 25 || g.asked > 31 {
			t.Errorf("asked %d times in ten minutes, want every 20 s", g.asked)
		}
		g.after, g.asked = "3600", 0
		held(api, 59*time.Minute)
		if g.asked != 1 {
			t.Errorf("asked %d times although the server wants an hour", g.asked)
		}
		g.after, g.asked = "", 0
		held(api, 10*time.Hour)
		if g.asked < 550 || g.asked > 601 {
			t.Errorf("asked %d times in ten hours, want once a minute", g.asked)
		}
	})
}

// A token server that refuses us is mended: that is news although there was no
// token before.
func TestHoldLooksForAFirstToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := new(giver)
		api := giverAPI(t, g)
		defer api.Close()
		if n := held(api, time.Minute); n != 0 {
			t.Errorf("nothing is new %d times", n)
		}
		g.token = "tok"
		if n := held(api, time.Minute); n != 1 {
			t.Errorf("the first token after failures is new %d times", n)
		}
	})
}

// Whoever closes does not wait for a server that hangs.
func TestCloseEndsALook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := giverAPI(t, &giver{hangs: true})
		began := time.Now()
		api.Renewed()
		api.Close()
		if took := time.Since(began); took > 0 {
			t.Errorf("closed after %v", took)
		}
		if api.Renewed() {
			t.Error("new after the end")
		}
	})
}
