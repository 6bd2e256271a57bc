package events

// Value is a value of any shape in the encoding it arrived in, so that handing
// it through in that encoding changes nothing. The zero Value is absent.
type Value struct {
	json    []byte
	msgpack []byte
}
