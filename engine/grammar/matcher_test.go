package grammar

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

func TestForcedTextAndDone(t *testing.T) {
	v := testVocabulary()
	g := mustSchema(t, `{"type":"object","properties":{"name":{"enum":["search","seek"]}},"required":["name"]}`)
	m := NewMatcher(g, v)
	step := func(forced, more string) {
		t.Helper()
		if got := string(m.Forced()); got != forced {
			t.Fatalf("forced %q, want %q", got, forced)
		}
		if m.Complete() || m.Done() {
			t.Fatal("complete too early")
		}
		if err := m.AcceptBytes([]byte(forced + more)); err != nil {
			t.Fatal(err)
		}
	}
	step(`{"name":`, ` `)
	step(`"se`, `e`)
	step(`k"}`, ``)
	if !m.Complete() || !m.Done() || m.Forced() != nil {
		t.Fatal("the object is whole, nothing may follow")
	}
	bits := make([]uint64, (v.Size()+63)/64)
	if n := m.Mask(bits); n != 1 || bits[v.stop[0]/64]>>(v.stop[0]%64)&1 != 1 {
		t.Fatalf("%d tokens allowed, want the stop token only", n)
	}
	if err := m.Accept(v.stop[0]); err != nil {
		t.Fatal(err)
	}
	if m.Mask(bits) != 0 || !m.Done() || m.Accept('a') == nil || m.AcceptBytes([]byte("a")) == nil {
		t.Fatal("something may follow the stop token")
	}
}

func TestRefusedTokensLeaveTheMatcherWhereItWas(t *testing.T) {
	v := testVocabulary()
	m := NewMatcher(mustSchema(t, `{"enum":["ab"]}`), v)
	for _, id := range []int32{'x', -1, int32(v.Size()), v.stop[0], v.stop[0] - 1} {
		if err := m.Accept(id); err == nil {
			t.Errorf("token %d was accepted", id)
		}
	}
	if err := m.AcceptBytes([]byte(`"ab"`)); err != nil {
		t.Fatal(err)
	}
}

func TestManyMatchersShareAGrammar(t *testing.T) {
	v := testVocabulary()
	g := mustSchema(t, `{"type":"array","items":{"type":"object","properties":{"k":{"type":"string"}},"required":["k"]},"minItems":2}`)
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			m := NewMatcher(g, v)
			bits := make([]uint64, (v.Size()+63)/64)
			for _, c := range []byte(fmt.Sprintf(`[{"k": "%d"},{"k":"京"}]`, i)) {
				if m.Mask(bits); bits[c/64]>>(c%64)&1 != 1 {
					t.Errorf("%q is not allowed", c)
					return
				}
				if err := m.Accept(int32(c)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
}

func TestRecursionIsBoundedByTextOnly(t *testing.T) {
	g := mustSchema(t, `{"$ref":"#/$defs/n","$defs":{"n":{"type":"array","items":{"$ref":"#/$defs/n"}}}}`)
	deep := strings.Repeat("[", 3000) + strings.Repeat("]", 3000)
	if ok, prefix := g.Match(deep); !ok {
		t.Fatalf("refused after %d bytes", prefix)
	}
	if ok, _ := g.Match(deep + "]"); ok {
		t.Fatal("unbalanced brackets accepted")
	}
}

func TestAnyObject(t *testing.T) {
	check(t, mustSchema(t, `{"type":"array"}`), "array", []string{`[]`, `[1,2]`}, []string{`[,1]`, `[1,]`})
	generated(t, AnyObject(), "object", []string{`{}`, `{"a": [1, {"b":null}], "a":"x"}`}, []string{`[]`, `1`, ` {}`, `{,"a":1}`, `{"a"}`})
}

func FuzzCompileSchema(f *testing.F) {
	for _, seed := range []string{`{}`, `{"type":"integer","minimum":3}`, `{"$ref":"#"}`, `{"anyOf":[{"enum":["a"]},{"pattern":"^a+$"}]}`, `{"allOf":[{"$ref":"#/$defs/a"}],"$defs":{"a":true}}`, `{"type":"number","minimum":1e-9,"maximum":5}`, `{"type":"string","pattern":"[\\s\\d]{2,3}|x"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, schema string) {
		g, err := CompileSchema([]byte(schema))
		if err != nil {
			return
		}
		g.Match(`{"a": [1, "b"]}`)
	})
}

// A mask over a large vocabulary, first and cached.
func BenchmarkMask(b *testing.B) {
	const size = 128000
	v := NewVocabulary(func(id int32) []byte {
		if id < 256 {
			return []byte{byte(id)}
		}
		return fmt.Appendf(nil, "%x", uint64(id)*2654435761%(1<<24))
	}, size, nil)
	bits := make([]uint64, (size+63)/64)
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			g, _ := CompileSchema([]byte(`{"type":"string"}`))
			m := NewMatcher(g, v)
			m.AcceptBytes([]byte(`"a`))
			m.Mask(bits)
		}
	})
	b.Run("cached", func(b *testing.B) {
		g, _ := CompileSchema([]byte(`{"type":"string"}`))
		m := NewMatcher(g, v)
		m.AcceptBytes([]byte(`"a`))
		for b.Loop() {
			m.Mask(bits)
		}
	})
}
