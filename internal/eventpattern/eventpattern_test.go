package eventpattern

import (
	"testing"

	"github.com/weir-stream/weir/internal/fault"
)

// A row is a pattern, what it matches and what it does not.
func TestPatterns(t *testing.T) {
	for _, row := range []struct {
		pattern string
		yes, no []string
	}{
		{`{"a":["x"]}`, []string{`{"a":"x"}`, `{"a":["y","x"]}`, `{"a":"x","b":1}`}, []string{`{"a":"X"}`, `{"a":["y"]}`, `{}`, `"x"`, `{"a":{"x":"x"}}`, `{"a":null}`}},
		{`{"a":["x","y"]}`, []string{`{"a":"y"}`}, []string{`{"a":"z"}`}},
		{`{"a":["x"],"b":[1]}`, []string{`{"a":"x","b":1}`}, []string{`{"a":"x"}`, `{"b":1}`}},
		{`{"a":[null]}`, []string{`{"a":null}`}, []string{`{}`, `{"a":0}`, `{"a":""}`}},
		{`{"a":[""]}`, []string{`{"a":""}`}, []string{`{"a":null}`}},
		{`{"a":[true]}`, []string{`{"a":true}`}, []string{`{"a":"true"}`}},
		{`{"a":[300]}`, []string{`{"a":300}`}, []string{`{"a":3.0e2}`, `{"a":300.0}`, `{"a":"300"}`}},
		{`{"a":{"b":["x"]}}`, []string{`{"a":{"b":"x"}}`, `{"a":[{"b":"y"},{"b":"x"}]}`}, []string{`{"a":"x"}`, `{"a":{}}`, `{"b":"x"}`}},
		{`{"a":[{"prefix":"ab"}]}`, []string{`{"a":"abc"}`, `{"a":["x","ab"]}`}, []string{`{"a":"xab"}`, `{"a":1}`}},
		{`{"a":[{"prefix":{"equals-ignore-case":"ab"}}]}`, []string{`{"a":"ABc"}`}, []string{`{"a":"a"}`}},
		{`{"a":[{"suffix":".png"}]}`, []string{`{"a":"x.png"}`}, []string{`{"a":"x.png "}`}},
		{`{"a":[{"equals-ignore-case":"Alice"}]}`, []string{`{"a":"aLICE"}`}, []string{`{"a":"alic"}`}},
		{`{"a":[{"anything-but":"x"}]}`, []string{`{"a":"y"}`, `{"a":1}`, `{"a":["x","y"]}`}, []string{`{"a":"x"}`, `{}`, `{"a":["x"]}`}},
		{`{"a":[{"anything-but":["x",3]}]}`, []string{`{"a":"y"}`, `{"a":4}`}, []string{`{"a":"x"}`, `{"a":3}`}},
		{`{"a":[{"anything-but":{"prefix":"x"}}]}`, []string{`{"a":"y"}`}, []string{`{"a":"xy"}`}},
		{`{"a":[{"anything-but":{"suffix":["x","z"]}}]}`, []string{`{"a":"y"}`}, []string{`{"a":"yx"}`, `{"a":"yz"}`}},
		{`{"a":[{"numeric":["=",300]}]}`, []string{`{"a":300}`, `{"a":3.0e2}`}, []string{`{"a":"300"}`, `{"a":301}`, `{"a":1e999999}`}},
		{`{"a":[{"numeric":[">",0,"<=",5]}]}`, []string{`{"a":5}`, `{"a":0.001}`}, []string{`{"a":0}`, `{"a":5.1}`}},
		{`{"a":[{"numeric":["<",10]}]}`, []string{`{"a":-1}`}, []string{`{"a":10}`}},
		{`{"a":[{"exists":true}]}`, []string{`{"a":null}`, `{"a":[]}`, `{"a":1}`}, []string{`{}`, `{"a":{"b":1}}`}},
		{`{"a":[{"exists":false}]}`, []string{`{}`, `{"b":1}`, `{"a":{"b":1}}`}, []string{`{"a":1}`}},
		{`{"a":{"b":[{"exists":false}]}}`, []string{`{}`, `{"a":{}}`, `{"a":{"c":1}}`}, []string{`{"a":{"b":1}}`}},
		{`{"a":[{"cidr":"10.0.0.0/24"}]}`, []string{`{"a":"10.0.0.255"}`}, []string{`{"a":"10.0.1.0"}`, `{"a":"x"}`}},
		{`{"$or":[{"a":["x"]},{"b":[{"numeric":[">",1]}]}],"c":["z"]}`, []string{`{"a":"x","c":"z"}`, `{"b":2,"c":"z"}`}, []string{`{"a":"x"}`, `{"c":"z"}`}},
	} {
		p, err := Compile(row.pattern)
		if err != nil {
			t.Errorf("%s: %v", row.pattern, err)
			continue
		}
		for want, events := range map[bool][]string{true: row.yes, false: row.no} {
			for _, event := range events {
				v, err := Decode([]byte(event))
				if err != nil {
					t.Fatal(event, err)
				}
				if p.Match(v) != want {
					t.Errorf("%s on %s: want %v", row.pattern, event, want)
				}
			}
		}
	}
}

// What is no pattern is refused.
func TestNoPatterns(t *testing.T) {
	for _, text := range []string{
		``, `x`, `[]`, `"a"`, `{}`, `{"a":"x"}`, `{"a":1}`, `{"a":[]}`, `{"a":{}}`, `{"a":[[1]]}`, `{"a":[{}]}`, `{"a":[{"prefix":1}]}`, `{"a":[{"near":"x"}]}`, `{"a":["x"]} {}`,
		`{"a":[{"prefix":"x","suffix":"y"}]}`, `{"a":[{"exists":1}]}`, `{"a":[{"numeric":[">"]}]}`, `{"a":[{"numeric":[">","5"]}]}`, `{"a":[{"numeric":["<",5,">",1]}]}`,
		`{"a":[{"numeric":[">",6e9]}]}`, `{"a":[{"anything-but":[]}]}`, `{"a":[{"anything-but":{"exists":true}}]}`, `{"a":[{"cidr":"x"}]}`, `{"a":[{"wildcard":"*"}]}`, `{"$or":[{"a":[1]}]}`,
	} {
		if _, err := Compile(text); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestHas(t *testing.T) {
	p, err := Compile(`{"a":[1],"$or":[{"data":{"x":[1]}},{"b":[1]}]}`)
	if err != nil || !p.Has("data") || !p.Has("a") || p.Has("x") {
		t.Errorf("%+v, %v", p, err)
	}
}

func FuzzPattern(f *testing.F) {
	f.Add(`{"a":[{"numeric":[">",0,"<=",5]}],"$or":[{"b":[{"anything-but":["x"]}]},{"c":[{"exists":false}]}]}`, `{"a":1}`)
	f.Add(`{"a":{"b":["x",{"cidr":"::/0"}]}}`, `{"a":[{"b":"x"}]}`)
	f.Fuzz(func(t *testing.T, pattern, event string) {
		p, err := Compile(pattern)
		if err != nil {
			return
		}
		if v, err := Decode([]byte(event)); err == nil {
			p.Match(v)
		}
	})
}
