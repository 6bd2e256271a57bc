// Package contract is the wire contract as documents: JSON Schemas and an
// AsyncAPI 3 document, for those who produce or consume in any language.
//
// The documents are made from package events by this package's own tests, and
// are committed, so that a change of the contract shows as a change of them:
//
//	go test ./events/contract -update
//
// A schema's keys come from the encoder itself, which encodes a record that has
// a value of its own in every field; their types are those of the Go fields,
// their descriptions the fields' comments. The same schema holds for JSON and
// for msgpack: the keys and the values are the same.
//
// # What version 1 promises
//
// Within wxenrich.profile.v1 the contract only grows. Of what comes out, a key
// or header that is there stays, keeps its type and its meaning, and stays
// required if it was; the values of status and Wx-Dead-Reason are all there
// will be, those of source and marker are not. Of what goes in, what was
// accepted stays accepted. Anything else is a version 2, under another value
// of schema and of the header Wx-Schema, and can run beside version 1.
//
// The folder testdata holds the documents and messages of earlier states of
// version 1; a test holds today's code to them.
package contract

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed *.json
var files embed.FS

// The names of the schemas.
const (
	Event         = "event"          // what goes in, as JSON or msgpack
	Record        = "record"         // what comes out, as JSON or msgpack
	RecordHeaders = "record-headers" // the first value of each header of a record
	DeadLetter    = "dead-letter"    // the headers of a dead letter; its body is the event's own
	Erased        = "erased"         // a notice that a person is erased, as JSON
)

// Names lists the schemas there are.
func Names() []string { return []string{Event, Record, RecordHeaders, DeadLetter, Erased} }

// Schema returns the JSON Schema (draft 2020-12) of that name.
func Schema(name string) ([]byte, error) {
	data, err := files.ReadFile(name + ".schema.json")
	if err != nil {
		return nil, fmt.Errorf("contract: no schema %q: want one of %s", name, strings.Join(Names(), ", "))
	}
	return data, nil
}

// AsyncAPI returns the AsyncAPI 3 document, as JSON.
func AsyncAPI() []byte {
	data, err := files.ReadFile("asyncapi.json")
	if err != nil {
		panic(err) // it is embedded
	}
	return data
}
