package events

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTemplateExpand(t *testing.T) {
	t.Parallel()
	v := Vars{AppID: "wx1", OpenID: "o-_9", Type: "a.b >*\r\n王", Reason: "rejected"}
	for s, want := range map[string]string{
		"wx.profiles.all":        "wx.profiles.all",
		"wx.profiles.{appid}":    "wx.profiles.wx1",
		"wx.{appid}.{openid}":    "wx.wx1.o-_9",
		"wx.{unionid}":           "wx._",
		"wx.p-{appid}{reason}.x": "wx.p-wx1rejected.x",
		"wx.{type}":              "wx.a_b________",
		"WX_{appid}":             "WX_wx1",
		"{appid}":                "wx1",
	} {
		tmpl, err := ParseTemplate(s, "appid", "openid", "unionid", "type", "reason")
		if err != nil {
			t.Errorf("ParseTemplate(%q): %v", s, err)
			continue
		}
		if got := tmpl.Expand(v); got != want {
			t.Errorf("%s = %q, want %q", s, got, want)
		}
		if tmpl.String() != s {
			t.Errorf("String() = %q, want %q", tmpl, s)
		}
		for _, name := range varNames {
			if got := tmpl.Has(name); got != strings.Contains(s, "{"+name+"}") {
				t.Errorf("%s.Has(%s) = %v", s, name, got)
			}
		}
	}
}

func TestParseTemplateRefuses(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"":             "empty",
		"wx.{apid}":    "{appid} or {type}",
		"wx.{openid}":  "{appid} or {type}",
		"wx.{}":        "unknown variable",
		"wx.{appid":    "without its }",
		"wx.appid}":    "without its {",
		"wx.{{appid}}": "unknown variable",
		"wx..x":        "empty token",
		".wx":          "empty token",
		"wx.":          "empty token",
		"wx. x":        "white space",
		"wx.\x00":      "control",
		"wx.*":         "wildcard",
		"wx.>":         "wildcard",
		"wx.\xff":      "UTF-8",
		"$JS.{appid}":  "server's",
	} {
		_, err := ParseTemplate(s, "appid", "type")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseTemplate(%q) = %v, want an error about %q", s, err, want)
		}
	}
}

func TestTemplateStreamSubjects(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		template string
		own      bool
		want     []string
	}{
		{"wx.profiles.all", false, []string{"wx.profiles.all"}},
		{"wx.profiles.all", true, []string{"wx.profiles.all"}},
		{"wx.profiles.{appid}", false, []string{"wx.profiles.>"}},
		{"wx.profiles.{appid}", true, []string{"wx.profiles.wx1", "wx.profiles.wx1.>"}},
		{"wx.events.{appid}.subscribe", false, []string{"wx.events.>"}},
		{"wx.events.{appid}.subscribe", true, []string{"wx.events.wx1.>"}},
		{"wx.dead.{appid}.{reason}", false, []string{"wx.dead.>"}},
		{"wx.dead.{appid}.{reason}", true, []string{"wx.dead.wx1.>"}},
		{"wx.{appid}.p.{openid}.x", true, []string{"wx.wx1.p.>"}},
		{"wx.{type}.{appid}", true, []string{"wx.>"}},
		{"wx.p-{appid}.{type}", false, []string{"wx.>"}},
		{"wx.p-{appid}", true, []string{"wx.p-wx1", "wx.p-wx1.>"}},
		{"{appid}.x", false, []string{">"}},
		{"{appid}.x", true, []string{"wx1.>"}},
	} {
		tmpl, err := ParseTemplate(tt.template, "appid", "openid", "type", "reason")
		if err != nil {
			t.Fatal(err)
		}
		got := tmpl.StreamSubjects(tt.own, "wx1")
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s, own %v (-want +got):\n%s", tt.template, tt.own, diff)
		}
		v := Vars{AppID: "wx1", OpenID: "o", Type: "t", Reason: "r"}
		if missing := uncovered(got, []string{tmpl.Expand(v)}); missing != nil {
			t.Errorf("%s, own %v: %v does not capture %v", tt.template, tt.own, got, missing)
		}
	}
}
