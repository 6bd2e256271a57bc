package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
)

// leaf is one key that holds a value rather than further keys.
type leaf struct {
	path  string // "accounts[0].batch.window"
	tag   reflect.StructTag
	value reflect.Value
}

// child is one key of a section.
type child struct {
	key   string
	tag   reflect.StructTag
	value reflect.Value
}

// section says whether v has keys of its own.
func section(v reflect.Value) bool { return v.Kind() == reflect.Struct }

// children lists the keys of a section in the order of the type; an embedded
// struct's keys are the section's own.
func children(v reflect.Value) []child {
	var out []child
	for i := range v.NumField() {
		f := v.Type().Field(i)
		key := f.Tag.Get("yaml")
		switch {
		case f.Anonymous:
			out = append(out, children(v.Field(i))...)
		case key != "" && key != "-":
			out = append(out, child{key, f.Tag, v.Field(i)})
		}
	}
	return out
}

// leaves calls f for every value at or below v. Of the accounts and outputs it
// visits what is there.
func leaves(v reflect.Value, path string, f func(leaf)) {
	for _, c := range children(v) {
		p := join(path, c.key)
		switch {
		case section(c.value):
			leaves(c.value, p, f)
		case c.key == "accounts":
			for i := range c.value.Len() {
				leaves(c.value.Index(i), accountPath(i), f)
			}
		case c.key == "output":
			for i := range c.value.Len() {
				if c.value.Len() > 1 {
					p = listedOutput(i)
				}
				leaves(c.value.Index(i), p, f)
			}
		default:
			f(leaf{p, c.tag, c.value})
		}
	}
}

// setDefaults gives every value at or below v what its tag says.
func setDefaults(v reflect.Value) {
	leaves(v, "", func(l leaf) {
		if text, ok := l.tag.Lookup("default"); ok {
			if err := parse(l.value, text); err != nil {
				panic("config: default of " + l.path + ": " + err.Error())
			}
		}
	})
}

// parse sets v from its text. The error names the text.
func parse(v reflect.Value, text string) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		v.SetBool(text == "true")
	case reflect.Int:
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		v.SetInt(n)
	case reflect.Float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || n != n {
			return fmt.Errorf("%q is not a number", text)
		}
		v.SetFloat(n)
	default:
		panic("config: no way to read a " + v.Type().String())
	}
	return nil
}

// text is the inverse of parse.
func text(v reflect.Value) string { return fmt.Sprint(v.Interface()) }

// less compares two values of one of the ordered types.
func less(a, b reflect.Value) bool {
	if a.CanInt() {
		return a.Int() < b.Int()
	}
	return a.Float() < b.Float()
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func accountPath(i int) string { return "accounts[" + strconv.Itoa(i) + "]" }
