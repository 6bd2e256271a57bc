package wechat

// Errcode is a code as one kind of endpoint answers it, or with [Any] as all do.
type Errcode struct {
	Kind Kind
	Code int
}

// Overrides is what a user knows better than the table of errcodes: WeChat adds
// codes without notice, and a code may mean something else to one account. It
// is asked before the table, for the very kind first and then for [Any].
type Overrides map[Errcode]Class

// classify returns the class of a code and whether it is known at all.
func (o Overrides) classify(kind Kind, code int) (Class, bool) {
	for _, k := range [...]Kind{kind, Any} {
		if class, ok := o[Errcode{k, code}]; ok && class.fits(kind) {
			return class, true
		}
	}
	row, ok := Lookup(kind, code)
	return row.Class, ok
}

// OfData reports whether the class is about a data call's token or openids. An
// override with such a class never concerns a token endpoint.
func (c Class) OfData() bool {
	return c == StaleToken || c == BadOpenID || c == NotFollowing || c == BatchSize
}

func (c Class) fits(kind Kind) bool { return kind != Login || !c.OfData() }

// ParseKind is the inverse of [Kind.String].
func ParseKind(name string) (k Kind, ok bool) {
	for k := range Kind(len(kindNames)) {
		if kindNames[k] == name {
			return k, true
		}
	}
	return Any, false
}
