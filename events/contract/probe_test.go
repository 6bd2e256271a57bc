package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/events"
)

// field is a field of a Go type that a record is encoded from.
type field struct {
	kind reflect.Type
	doc  string
}

// probe fills every field of a value with something that occurs nowhere else,
// and remembers by what it will be known in JSON.
type probe struct {
	docs map[string]string // of fields, by "Type.Field"
	by   map[string]field
	n    int
}

// notOnTheWire are fields that a record's body does not show.
var notOnTheWire = map[string]bool{"Record.Hop": true, "Event.Lang": true, "User.Raw": true}

func (p *probe) fill(t *testing.T, v reflect.Value) {
	t.Helper()
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Name()+"."+v.Type().Field(i).Name
		if notOnTheWire[name] {
			continue
		}
		p.n++
		known := ""
		switch value := f.Addr().Interface().(type) {
		case *time.Time:
			*value = time.Unix(int64(p.n), 0).UTC()
			known = value.Format(time.RFC3339)
			if name == "Record.FetchedAt" {
				known = value.Format("2006-01-02T15:04:05.000000Z07:00")
			}
		case *events.Value:
			known = "value " + strconv.Itoa(p.n)
			*value = events.JSONValue([]byte(strconv.Quote(known)))
		case *[]int64:
			*value = []int64{int64(p.n)}
			known = fmt.Sprint(*value)
		default:
			switch f.Kind() {
			case reflect.Struct:
				p.fill(t, f)
				continue
			case reflect.String:
				known = "text " + strconv.Itoa(p.n)
				f.SetString(known)
			case reflect.Int, reflect.Int64:
				known = strconv.Itoa(p.n)
				f.SetInt(int64(p.n))
			case reflect.Uint32, reflect.Uint64:
				known = strconv.Itoa(p.n)
				f.SetUint(uint64(p.n))
			default:
				t.Fatalf("%s: the generator does not know %s", name, f.Type())
			}
		}
		if p.docs[name] == "" {
			t.Errorf("%s has no comment, which would describe it to readers of the schema", name)
		}
		p.by[known] = field{f.Type(), p.docs[name]}
	}
}

// encoded is a key of an encoded record, with what is under it if that is a map.
type encoded struct {
	key   string
	value string
	inner []encoded
}

// readMap reads a JSON object in its order.
func readMap(t *testing.T, data []byte) []encoded {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	next := func() any {
		tok, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	var object func() []encoded
	object = func() (all []encoded) {
		for dec.More() {
			e := encoded{key: next().(string)}
			switch tok := next(); tok {
			case json.Delim('{'):
				e.inner = object()
			case json.Delim('['):
				var list []any
				for dec.More() {
					list = append(list, next())
				}
				next()
				e.value = fmt.Sprint(list)
			default:
				e.value = fmt.Sprint(tok)
			}
			all = append(all, e)
		}
		next()
		return all
	}
	next()
	return object()
}

// fieldDocs reads the comments of the fields of all structs of package events,
// and those of its header constants by their names.
func fieldDocs(t *testing.T) (fields map[string]string, headers []headerDoc) {
	t.Helper()
	fields = make(map[string]string)
	paths, err := filepath.Glob("../*.go")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no package events: %v", err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			d, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					if st, ok := s.Type.(*ast.StructType); ok {
						for _, f := range st.Fields.List {
							for _, name := range f.Names {
								fields[s.Name.Name+"."+name.Name] = strings.TrimSpace(f.Comment.Text())
							}
						}
					}
				case *ast.ValueSpec:
					if h, ok := headerOf(t, s); ok {
						headers = append(headers, h)
					}
				}
			}
		}
	}
	return fields, headers
}
