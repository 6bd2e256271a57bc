package quota

// Unit is what a batch costs.
type Unit string

// The units.
const (
	Undecided Unit = ""       // counted like PerOpenID
	PerCall   Unit = "call"   // one, whatever its size
	PerOpenID Unit = "openid" // one for each openid in it
)

// Spending counts calls and the openids in them.
type Spending struct {
	Calls   int64 `json:"calls"`
	OpenIDs int64 `json:"openids"`
}

func (s Spending) plus(o Spending) Spending {
	return Spending{s.Calls + o.Calls, s.OpenIDs + o.OpenIDs}
}

func (s Spending) minus(o Spending) Spending {
	return Spending{s.Calls - o.Calls, s.OpenIDs - o.OpenIDs}
}

// spent is s with nothing below zero.
func (s Spending) spent() Spending { return Spending{max(0, s.Calls), max(0, s.OpenIDs)} }

// cost is what it takes from the quota.
func (u Unit) cost(s Spending) int64 {
	if u == PerCall {
		return s.Calls
	}
	return s.OpenIDs
}

const (
	// telling is how many openids a call has to have on average, and evidence
	// how many there have to be, before readings can tell the units apart.
	telling  = 10
	evidence = 1000
	// little evidence tells as well if it is clear: from one full batch on.
	little = 100
	// clearly is how many times its uncertainty a difference has to be.
	clearly = 5
	// enough readings must agree that openids are counted: others who spend as
	// much as that make it look so, and only the contrary is proven at once.
	enough = 2
)

// verdict weighs two readings: rose is how much the counter rose between them
// while ours was spent, and unsure how wrong that may be. Others can only have
// made it rise further; if it rose by less than our calls, it lags behind. It is
// Undecided if the readings do not tell.
func verdict(rose, unsure int64, ours Spending) Unit {
	c, o := ours.Calls, ours.OpenIDs
	if c <= 0 || o < little || o < telling*c || o-c < clearly*unsure || rose+unsure < c {
		return Undecided
	}
	few := o < evidence
	switch {
	case rose+unsure < (c+o)/2 && (!few || c <= rose && rose <= 2*c+unsure):
		return PerCall
	case few && 2*rose < o:
		return Undecided // between the two: others spend as well, or it lags behind
	default:
		return PerOpenID
	}
}
