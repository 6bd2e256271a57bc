package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Table is the README's table of every key, in Markdown. lang is "en" or "zh".
func Table(lang string) string {
	head, same := "| key | default | meaning |", "the same keys as the sections of these names; win for this account"
	outputs := "`output` may be a list of such sections, each with a stream of its own: a record goes to each; `WXENRICH_OUTPUT_1_FORMAT` is the second one's format"
	tag, from, to, brackets, comma := "doc", "at least ", "at most ", " (%s)", ", "
	if lang == "zh" {
		head, same = "| 键 | 默认值 | 含义 |", "与同名段落的键相同，仅对该账号生效并优先"
		outputs = "`output` 可以是多个此类段落的列表，各用自己的流：每条记录写入每个输出；`WXENRICH_OUTPUT_1_FORMAT` 是第二个输出的格式"
		tag, from, to, brackets, comma = "zh", "不小于 ", "不大于 ", "（%s）", "，"
	}
	var b strings.Builder
	b.WriteString(head + "\n|---|---|---|\n")
	row := func(keys, value, meaning string) {
		// A bar in a cell would end it.
		b.WriteString("| `" + keys + "` | " + value + " | " + strings.ReplaceAll(meaning, "|", `\|`) + " |\n")
	}
	add := func(l leaf) {
		value := ""
		if d := l.tag.Get("default"); d != "" {
			value = "`" + d + "`"
		}
		meaning := l.tag.Get(tag)
		var limits []string
		if one := l.tag.Get("one"); one != "" {
			limits = append(limits, strings.ReplaceAll(one, "|", comma))
		}
		if low := l.tag.Get("min"); low != "" && low != "0" && low != "0s" && low != "0%" {
			limits = append(limits, from+low)
		}
		if high := l.tag.Get("max"); high != "" {
			limits = append(limits, to+high)
		}
		if len(limits) > 0 {
			meaning += fmt.Sprintf(brackets, strings.Join(limits, comma))
		}
		row(l.path, value, meaning)
	}
	for _, c := range children(reflect.ValueOf(Default()).Elem()) {
		switch {
		case c.key == "accounts":
			var overrides []string
			for _, k := range children(reflect.ValueOf(NewAccount("")).Elem()) {
				path := "accounts[]." + k.key
				switch {
				case k.tag.Get("override") != "":
					overrides = append(overrides, path)
				case section(k.value):
					leaves(k.value, path, add)
				default:
					add(leaf{path, k.tag, k.value})
				}
			}
			row(strings.Join(overrides, "`, `"), "", same)
		case c.key == "output":
			leaves(c.value.Index(0), c.key, add)
			row("output[]", "", outputs)
		case section(c.value):
			leaves(c.value, c.key, add)
		default:
			add(leaf{c.key, c.tag, c.value})
		}
	}
	return b.String()
}
