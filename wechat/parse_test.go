package wechat

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// batchOf reads a body as BatchGet does.
func batchOf(body []byte) ([]User, error) {
	return readBatch(body, rowReader{})
}

func readBatch(body []byte, r rowReader) ([]User, error) {
	_, err := readBody(body, func(key string, c *cursor) {
		if key == "user_info_list" {
			r.list(c)
		}
	})
	if err != nil {
		return nil, err
	}
	return r.users, nil
}

func TestRows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, row string
		want      User
	}{
		{"2022 shape", `{"subscribe":1,"openid":"oA","nickname":"","sex":0,"language":"zh_CN","city":"","province":"","country":"","headimgurl":"","subscribe_time":1648000000,"unionid":"oU","remark":"老客户 🎉","groupid":2,"tagid_list":[128,2],"subscribe_scene":"ADD_SCENE_QR_CODE","qr_scene":4294967295,"qr_scene_str":"渠道_1"}`,
			User{Subscribe: 1, OpenID: "oA", Language: "zh_CN", SubscribeTime: 1648000000, UnionID: "oU", Remark: "老客户 🎉", GroupID: 2, TagIDs: []int64{128, 2}, SubscribeScene: "ADD_SCENE_QR_CODE", QRScene: 4294967295, QRSceneStr: "渠道_1"}},
		{"2015 shape", `{"subscribe": 1, "openid": "oA", "nickname": "iWithery", "sex": 1, "city": "Jieyang", "province": "Guangdong", "country": "China", "headimgurl": "http:\/\/wx.qlogo.cn\/mmopen\/x\/0", "subscribe_time": 1434093047, "remark": "", "groupid": 0}`,
			User{Subscribe: 1, OpenID: "oA", Nickname: "iWithery", Sex: 1, City: "Jieyang", Province: "Guangdong", Country: "China", HeadImgURL: "http://wx.qlogo.cn/mmopen/x/0", SubscribeTime: 1434093047}},
		{"not following", `{"subscribe":0,"openid":"oA","tagid_list":[]}`, User{OpenID: "oA"}},
		{"no openid", `{"subscribe":1}`, User{Subscribe: 1}},
		{"numbers as strings", `{"subscribe":"1","openid":"oA","subscribe_time":"1648000000","qr_scene":"7","tagid_list":["5"]}`,
			User{Subscribe: 1, OpenID: "oA", SubscribeTime: 1648000000, QRScene: 7, TagIDs: []int64{5}}},
		{"odd types", `{"subscribe":true,"openid":7,"nickname":null,"remark":[],"groupid":{},"tagid_list":"1","qr_scene":-1,"subscribe_time":1.5,"sex":"x"}`, User{}},
		{"beyond the types", `{"openid":"oA","qr_scene":4294967296,"subscribe_time":99999999999999999999,"groupid":1e3}`, User{OpenID: "oA", GroupID: 1000}},
		{"kept as sent", `{"openid":" oA ","unionid":" oU"}`, User{OpenID: " oA ", UnionID: " oU"}},
		{"time beyond 2038", `{"subscribe_time":4102444800}`, User{SubscribeTime: 4102444800}},
		{"unknown field", `{"openid":"oA","level":{"vip":[1]}}`, User{OpenID: "oA"}},
		{"not an object", `7`, User{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			users, err := batchOf([]byte(`{"x":[{"a":1}], "user_info_list" : [` + c.row + ` , ` + c.row + `]}`))
			if err != nil {
				t.Fatal(err)
			}
			c.want.Raw = json.RawMessage(c.row)
			if diff := cmp.Diff([]User{c.want, c.want}, users); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAppendingToARowLeavesItsNeighbour(t *testing.T) {
	t.Parallel()
	users, err := batchOf([]byte(`{"user_info_list":[{"openid":"oA","tagid_list":[1]},{"openid":"oB","tagid_list":[2]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = append(users[0].Raw, "xxxxxxxx"...)
	_ = append(users[0].TagIDs, 9)
	if string(users[1].Raw) != `{"openid":"oB","tagid_list":[2]}` || users[1].TagIDs[0] != 2 {
		t.Errorf("neighbour became %s %v", users[1].Raw, users[1].TagIDs)
	}
}

func TestBody(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return `{"a":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}` }
	for _, c := range []struct{ name, body, want, fault string }{
		{"clean", `{"a":"b"}`, `{"a":"b"}`, ""},
		{"control characters", "{\"a\":\"x\a\b\x14\x00y\n\"}", `{"a":"x\u0007\u0008\u0014\u0000y\u000a"}`, ""},
		{"white space between values", "{\n\t\"a\" :\r\n1}", "{\n\t\"a\" :\r\n1}", ""},
		{"escapes kept", "{\"a\":\"\\/\\\"\\\\\x01\"}", `{"a":"\/\"\\\u0001"}`, ""},
		{"escaped control character", "{\"a\":\"\\\x01\"}", `{"a":"\u0001"}`, ""},
		{"invalid UTF-8", "{\"a\":\"x\xff\xfey\"}", "{\"a\":\"x\uFFFDy\"}", ""},
		{"cut UTF-8 before a quote", "{\"a\":\"\xe5\xb9\",\"b\":1}", "{\"a\":\"\uFFFD\",\"b\":1}", ""},
		{"deepest", deep(safeOpeners), deep(safeOpeners), ""},
		{"too deep", deep(safeOpeners + 1), "", "too deeply"},
		{"far too deep", strings.Repeat("[", 1<<20), "", "too deeply"},
		{"brackets in a string", `{"a":"` + strings.Repeat("[", 100) + `"}`, `{"a":"` + strings.Repeat("[", 100) + `"}`, ""},
		{"empty", " \n", "", "empty"},
		{"truncated", `{"a":"b`, "", "truncated"},
		{"truncated behind a backslash", `{"a":"b\`, "", "truncated"},
		{"HTML", `<html></html>`, "", "not JSON"},
		{"array", `[]`, "", "not a JSON object"},
		{"null", `null`, "", "not a JSON object"},
		{"two values", `{}{}`, "", "not JSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := checkBody([]byte(c.body))
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Fatalf("error %v, want one with %q", err, c.fault)
				}
				return
			}
			if err != nil || got != c.want {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func TestRequestBody(t *testing.T) {
	t.Parallel()
	got := string(appendBatch(nil, []Query{{OpenID: "oA", Lang: "zh_CN"}, {OpenID: "oB"}, {OpenID: "o\"\\\n中"}}))
	var back struct {
		List []map[string]string `json:"user_list"`
	}
	if err := json.Unmarshal([]byte(got), &back); err != nil {
		t.Fatalf("%s: %v", got, err)
	}
	want := []map[string]string{{"openid": "oA", "lang": "zh_CN"}, {"openid": "oB"}, {"openid": "o\"\\\n中"}}
	if diff := cmp.Diff(want, back.List); diff != "" {
		t.Error(diff)
	}
	if prefix := `{"user_list":[{"openid":"oA","lang":"zh_CN"},{"openid":"oB"},`; !strings.HasPrefix(got, prefix) {
		t.Errorf("got %s, want it to begin %s", got, prefix)
	}
}

func TestAvatar(t *testing.T) {
	t.Parallel()
	u := User{HeadImgURL: "http://wx.qlogo.cn/mmopen/abc/132"}
	for _, size := range []int{0, 46, 64, 96, 132} {
		got, err := u.Avatar(size)
		if want := fmt.Sprintf("http://wx.qlogo.cn/mmopen/abc/%d", size); err != nil || got != want {
			t.Errorf("Avatar(%d) = %q, %v, want %q", size, got, err, want)
		}
	}
	if got, err := u.Avatar(100); err == nil {
		t.Errorf("Avatar(100) = %q, want an error", got)
	}
	if got, err := (User{}).Avatar(64); err != nil || got != "" {
		t.Errorf("without an avatar: %q, %v, want neither", got, err)
	}
}

func FuzzParseBatch(f *testing.F) {
	f.Add([]byte(`{"user_info_list":[{"subscribe":1,"openid":"oA","tagid_list":[1,"2"],"qr_scene":4294967295}]}`))
	f.Add([]byte("{\"user_info_list\":[{\"openid\":\"o\\u0041\",\"remark\":\"\x14\xff\"},null,7,[]]}"))
	f.Add([]byte(`{"user_info_list":{"a":{"openid":"x"}},"user_info_list":[[{}]]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		users, err := batchOf(body)
		if err != nil {
			return
		}
		doc, _ := checkBody(body)
		var want map[string]json.RawMessage
		var rows []json.RawMessage
		if err := json.Unmarshal([]byte(doc), &want); err != nil {
			t.Fatalf("%q passed as JSON: %v", doc, err)
		}
		if strings.Count(doc, "user_info_list") != 1 || json.Unmarshal(want["user_info_list"], &rows) != nil {
			return // the last of several keys wins, in every spelling
		}
		if len(rows) != len(users) {
			t.Fatalf("%d rows of %q, want %d", len(users), doc, len(rows))
		}
		for i, u := range users {
			if string(u.Raw) != string(rows[i]) {
				t.Fatalf("row %d is %q, want %q", i, u.Raw, rows[i])
			}
		}
	})
}

func FuzzRepair(f *testing.F) {
	f.Add([]byte("{\"a\":\"x\a\\\"\"}"))
	f.Add([]byte("{\"a\\\\\":\"\\\x01\"}\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if json.Valid(body) && string(repair(body)) != string(body) {
			t.Fatalf("repair changed %q, which is JSON", body)
		}
		// If it is JSON with harmless characters for the control characters,
		// repair has to make it JSON.
		spaced := strings.Map(func(r rune) rune {
			switch {
			case r == '\t' || r == '\r' || r == '\n':
				return ' '
			case r < 0x20:
				return 'x'
			}
			return r
		}, string(body))
		if json.Valid([]byte(spaced)) && !strings.Contains(spaced, `\ `) && !json.Valid(repair(body)) {
			t.Fatalf("repair(%q) = %q is not JSON", body, repair(body))
		}
	})
}

func TestBriefRows(t *testing.T) {
	t.Parallel()
	body := benchBody()
	brief, err := readBatch(body, rowReader{brief: true})
	if err != nil {
		t.Fatal(err)
	}
	whole, err := batchOf(body)
	if err != nil {
		t.Fatal(err)
	}
	for i, u := range whole {
		want := User{Subscribe: u.Subscribe, OpenID: u.OpenID, UnionID: u.UnionID, SubscribeTime: u.SubscribeTime, Raw: u.Raw}
		if diff := cmp.Diff(want, brief[i]); diff != "" {
			t.Fatal(diff)
		}
	}
}

// What was in a row stays as it is when another batch takes its place.
func TestRecycledRows(t *testing.T) {
	t.Parallel()
	first, err := batchOf(benchBody())
	if err != nil {
		t.Fatal(err)
	}
	u, copied := first[7], first[7]
	copied.OpenID, copied.Raw = strings.Clone(u.OpenID), append([]byte(nil), u.Raw...)
	for range 10 {
		Recycle(first)
		if first, err = batchOf([]byte(`{"user_info_list":[{"openid":"oB"},{}]}`)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]User{{OpenID: "oB", Raw: json.RawMessage(`{"openid":"oB"}`)}, {Raw: json.RawMessage("{}")}}, first); diff != "" {
			t.Fatalf("another's fields are left in a row: %s", diff)
		}
	}
	if u.OpenID != copied.OpenID || string(u.Raw) != string(copied.Raw) {
		t.Errorf("%s and %s have become %s and %s", copied.OpenID, copied.Raw, u.OpenID, u.Raw)
	}
}

func benchBody() []byte {
	var b strings.Builder
	b.WriteString(`{"user_info_list":[`)
	for i := range 100 {
		if i > 0 {
			b.WriteByte(',')
		}
		remark := ""
		if i%10 == 0 {
			remark = "北京 张伟"
		}
		fmt.Fprintf(&b, `{"subscribe":1,"openid":"otvxTs4dckWG7imySrJd6jSi%04d","nickname":"","sex":0,"language":"zh_CN","city":"","province":"","country":"","headimgurl":"","subscribe_time":1648000000,"unionid":"oR5GjjgEhCMJFyzaVZdrxZ2z%04d","remark":"%s","groupid":0,"tagid_list":[128,2],"subscribe_scene":"ADD_SCENE_QR_CODE","qr_scene":98765,"qr_scene_str":""}`, i, i, remark)
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}

func BenchmarkParseBatch(b *testing.B) {
	for _, brief := range []bool{false, true} {
		b.Run(fmt.Sprintf("brief=%v", brief), func(b *testing.B) {
			body := benchBody()
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				users, err := readBatch(body, rowReader{brief: brief})
				if err != nil || len(users) != 100 {
					b.Fatal(len(users), err)
				}
				Recycle(users)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/row")
		})
	}
}

func BenchmarkRequestBody(b *testing.B) {
	qs := make([]Query, MaxBatch)
	for i := range qs {
		qs[i] = Query{OpenID: fmt.Sprintf("otvxTs4dckWG7imySrJd6jSi%04d", i), Lang: "zh_CN"}
	}
	b.ReportAllocs()
	for b.Loop() {
		appendBatch(nil, qs)
	}
}

func TestBlankRows(t *testing.T) {
	t.Parallel()
	for raw, blank := range map[string]bool{
		`{"openid":"o1"}`:                  true,
		`{"openid":"o1","nickname":""}`:    true,
		`{"subscribe":0,"openid":"o1"}`:    false,
		`{"subscribe" : 1,"openid":"o1"}`:  false,
		`{"openid":"o1","subscribe":0.0}`:  false,
		`{"openid":"o1","remark":"x\"su"}`: true,
	} {
		u := User{OpenID: "o1", Raw: []byte(raw)}
		if u.Blank() != blank {
			t.Errorf("%s: blank %v, want %v", raw, !blank, blank)
		}
	}
}

// FuzzCursor holds what a cursor takes for JSON against the standard library,
// whether its values are read one by one or passed over.
func FuzzCursor(f *testing.F) {
	for _, s := range []string{
		`{}`, ` {"a" : [ ] , "b":{"c":-0.5e+7}}` + "\n", `{"a":"\u00e9\n\/"}`, `{"a":tru}`, `{"a":01}`, `{"a":1.}`, `{"a":1e}`, `{"a":-}`, `{"a":+1}`,
		`{"a":"\x"}`, `{"a":"\u12g4"}`, `{"a":"\u12`, `{"a":"` + "\t" + `"}`, `{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `{"a":1 "b":2}`, `{1:2}`, `{"a":[1,]}`, `{"a":[1 2]}`,
		`{"a":[1}`, `{"a":{]}`, `{} x`, `{}{}`, `[]`, `{`, `{"a`, `{"a":"b\`, `{"a":nul`, `{"a":falsee}`, "{\"a\":\x00}", "\ufeff{}", `{"a":"` + strings.Repeat("x", 70) + `"}`,
		`{"list":[{"a":[1,"x"]},7,null,[{}]],"list":7}`, `{"a":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + `}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := json.Valid([]byte(s)) && strings.HasPrefix(strings.TrimSpace(s), "{")
		over := &cursor{s: s}
		over.read(func(string) {})
		if !over.deep && over.bad == want {
			t.Errorf("passing over %q: bad %v, and json.Valid says %v", s, over.bad, want)
		}
		one := &cursor{s: s}
		one.read(func(key string) {
			one.list(func() { one.object(func(string) { one.raw() }) })
		})
		if !over.deep && one.bad == want {
			t.Errorf("reading %q: bad %v, and json.Valid says %v", s, one.bad, want)
		}
	})
}
