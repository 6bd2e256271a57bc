package config

import (
	"reflect"
	"strings"
)

// Table is the README's table of every key, in Markdown. lang is "en" or "zh".
func Table(lang string) string {
	head, same := "| key | default | meaning |", "the same keys as the section of that name; win for this account"
	tag, from, to := "doc", "at least", "at most"
	if lang == "zh" {
		head, same = "| 键 | 默认值 | 含义 |", "与同名段落的键相同，仅对该账号生效并优先"
		tag, from, to = "zh", "不小于", "不大于"
	}
	var b strings.Builder
	b.WriteString(head + "\n|---|---|---|\n")
	row := func(key, value, meaning string) {
		// A bar in a cell would end it.
		b.WriteString("| `" + key + "` | " + value + " | " + strings.ReplaceAll(meaning, "|", `\|`) + " |\n")
	}
	add := func(l leaf) {
		value := ""
		if d := l.tag.Get("default"); d != "" {
			value = "`" + d + "`"
		}
		meaning := l.tag.Get(tag)
		var limits []string
		if one := l.tag.Get("one"); one != "" {
			limits = append(limits, strings.ReplaceAll(one, "|", ", "))
		}
		if low := l.tag.Get("min"); low != "" && low != "0" && low != "0s" && low != "0%" {
			limits = append(limits, from+" "+low)
		}
		if high := l.tag.Get("max"); high != "" {
			limits = append(limits, to+" "+high)
		}
		if len(limits) > 0 {
			meaning += " (" + strings.Join(limits, ", ") + ")"
		}
		row(l.path, value, meaning)
	}
	for _, c := range children(reflect.ValueOf(Default()).Elem()) {
		switch {
		case c.key == "accounts":
			for _, k := range children(reflect.ValueOf(NewAccount("")).Elem()) {
				path := "accounts[]." + k.key
				switch {
				case k.tag.Get("override") != "":
					row(path, "", same)
				case section(k.value):
					leaves(k.value, path, add)
				default:
					add(leaf{path, k.tag, k.value})
				}
			}
		case section(c.value):
			leaves(c.value, c.key, add)
		default:
			add(leaf{c.key, c.tag, c.value})
		}
	}
	return b.String()
}
