package gateway

import (
	"errors"
	"fmt"

	"golang.org/x/time/rate"
)

// roster is the accounts that pushes are taken for. It never changes: another
// takes its place.
type roster struct {
	all     []Account
	byAppID map[string]*Account
	byID    map[string]*Account      // by OriginalID
	limits  map[string]*rate.Limiter // by appid; none if there is no limit
}

// newRoster checks the accounts. Who was in old goes on with the rate that is
// used up there.
func newRoster(accounts []Account, perSecond float64, old *roster) (*roster, error) {
	r := &roster{all: accounts, byAppID: make(map[string]*Account), byID: make(map[string]*Account), limits: make(map[string]*rate.Limiter)}
	for i := range accounts {
		a := &accounts[i]
		if a.Receiver == nil || a.Events.String() == "" {
			return nil, errors.New("gateway: an account has no receiver or no subject")
		}
		appid := a.Receiver.AppID()
		if r.byAppID[appid] != nil {
			return nil, fmt.Errorf("gateway: account %s is there twice", appid)
		}
		r.byAppID[appid] = a
		if perSecond > 0 {
			r.limits[appid] = rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond)))
			if old != nil && old.limits[appid] != nil {
				r.limits[appid] = old.limits[appid]
			}
		}
		if a.OriginalID != "" {
			if r.byID[a.OriginalID] != nil {
				return nil, fmt.Errorf("gateway: two accounts have the original id %s", a.OriginalID)
			}
			r.byID[a.OriginalID] = a
		}
	}
	return r, nil
}

// SetAccounts has pushes taken for these accounts from now on, and for no other;
// a push that is being taken is finished. A Receiver that goes on should be the
// same one: it knows what it has seen. With an error nothing has changed.
func (g *Gateway) SetAccounts(accounts []Account) error {
	g.changing.Lock()
	defer g.changing.Unlock()
	r, err := newRoster(accounts, g.cfg.Rate, g.roster.Load())
	if err == nil {
		g.roster.Store(r)
	}
	return err
}
