package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/suggest"
)

// readYAML returns the one document of a file, nil when it is empty.
func readYAML(path string) (*yaml.Node, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, err
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("holds more than one document: want one")
	}
	return doc.Content[0], nil
}

// file reads the sections that are everybody's, and keeps the accounts for
// later, since they begin as a copy of those sections.
func (l *loader) file(path string) {
	root, err := readYAML(path)
	switch {
	case err != nil:
		l.fault("", path, "%v", plain(err))
	case root != nil:
		l.source = path
		l.section(root, reflect.ValueOf(l.cfg).Elem(), "")
	}
}

// section reads a mapping into the struct v.
func (l *loader) section(n *yaml.Node, v reflect.Value, path string) {
	n = resolve(n)
	if n.Tag == "!!null" { // a section with nothing in it, or all of it commented out
		return
	}
	known := children(v)
	if n.Kind != yaml.MappingNode {
		l.fault(path, l.at(n), "is a %s: want a section with %s", kindName(n), keyList(known))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], resolve(n.Content[i+1])
		p := join(path, key.Value)
		j := slices.IndexFunc(known, func(c child) bool { return c.key == key.Value })
		switch {
		case j < 0:
			l.fault(path, l.at(key), "%s", unknownKey(key.Value, known))
		case seen[key.Value]:
			l.fault(p, l.at(key), "is there twice")
		case section(known[j].value):
			l.section(value, known[j].value, p)
		case p == "accounts":
			l.accountList(value)
		case p == "output":
			l.outputList(value)
		default:
			l.value(value, known[j].value, p)
		}
		seen[key.Value] = true
	}
}

// accountList remembers the accounts of the main file.
func (l *loader) accountList(n *yaml.Node) {
	switch {
	case n.Tag == "!!null":
	case n.Kind != yaml.SequenceNode:
		l.fault("accounts", l.at(n), "is a %s: want a list, each item beginning with \"- appid:\"", kindName(n))
	default:
		for _, item := range n.Content {
			l.accounts = append(l.accounts, accountSource{file: l.source, node: item})
		}
	}
}

// accountDir remembers the accounts of a folder, one in each file, by name.
func (l *loader) accountDir(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		l.fault("accounts_dir", l.where("accounts_dir"), "%v", plain(err))
		return
	}
	for _, e := range entries {
		name := e.Name()
		// Kubernetes keeps a mounted folder's real files in one that begins with dots.
		if ext := filepath.Ext(name); strings.HasPrefix(name, ".") || ext != ".yaml" && ext != ".yml" {
			continue
		}
		path := filepath.Join(dir, name)
		if l.leaveOut[path] {
			continue
		}
		switch root, err := readYAML(path); {
		case err != nil:
			l.fault("", path, "%v", plain(err))
		case root != nil:
			l.accounts = append(l.accounts, accountSource{path, root, true})
		case l.running != nil: // somebody may be writing it just now
			l.fault("", path, "is empty: want an account; remove the file to remove the account")
		}
	}
}

// value reads a scalar, a list of scalars or a mapping of scalars.
func (l *loader) value(n *yaml.Node, v reflect.Value, path string) {
	if n.Tag == "!!null" {
		return
	}
	text := n.Value
	switch v.Interface().(type) {
	case List, Map:
		if n.Kind == yaml.ScalarNode {
			break
		}
		want := yaml.SequenceNode
		if v.Kind() == reflect.Map {
			want = yaml.MappingNode
		}
		deeper := func(m *yaml.Node) bool { return resolve(m).Kind != yaml.ScalarNode }
		if n.Kind != want || slices.ContainsFunc(n.Content, deeper) {
			l.fault(path, l.at(n), "is a %s: want single values", kindName(n))
			return
		}
		text = flatten(n)
	default:
		if n.Kind != yaml.ScalarNode {
			l.fault(path, l.at(n), "is a %s: want one value", kindName(n))
			return
		}
	}
	l.set(v, text, path, Origin{"file", l.at(n)})
}

// flatten writes a list or mapping the way an environment variable would.
func flatten(n *yaml.Node) string {
	var b strings.Builder
	for i, m := range n.Content {
		switch {
		case i == 0:
		case n.Kind == yaml.MappingNode && i%2 == 1:
			b.WriteByte('=')
		default:
			b.WriteByte(',')
		}
		b.WriteString(resolve(m).Value)
	}
	return b.String()
}

func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "section"
	case yaml.SequenceNode:
		return "list"
	default:
		return "single value"
	}
}

// unknownKey says what the key may have been: one of its neighbours, else one
// of another section. The value beside it is not shown, it may be a secret.
func unknownKey(key string, known []child) string {
	problem := fmt.Sprintf("unknown key %q", key)
	if near := suggest.Nearest(key, keys(known)); near != "" {
		return fmt.Sprintf("%s: did you mean %s?", problem, near)
	}
	elsewhere := ""
	sample := Config{Accounts: []Account{{}}, Outputs: []Output{{}}}
	leaves(reflect.ValueOf(&sample).Elem(), "", func(l leaf) {
		general := elsewhere == "" || strings.HasPrefix(elsewhere, "accounts[") // the accounts come first
		if general && strings.HasSuffix(l.path, "."+key) {
			elsewhere = l.path
		}
	})
	if elsewhere != "" {
		return fmt.Sprintf("%s: did you mean %s?", problem, elsewhere)
	}
	return fmt.Sprintf("%s: want %s", problem, keyList(known))
}

func keys(known []child) []string {
	out := make([]string, len(known))
	for i, c := range known {
		out[i] = c.key
	}
	return out
}

func keyList(known []child) string { return "one of " + strings.Join(keys(known), ", ") }

// plain takes the operation from a file error: "open x: no such file" after
// "x:" says the name twice.
func plain(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
