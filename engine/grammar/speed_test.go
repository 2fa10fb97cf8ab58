package grammar

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"lian/tokenizer"
	"lian/verify/shared"
)

// realVocabulary is Qwen's, of 151,643 tokens.
func realVocabulary(t testing.TB) *Vocabulary {
	t.Helper()
	data, err := os.ReadFile(shared.Path(t, "testdata", "tokenizers", "qwen", "qwen.tiktoken"))
	if err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.ParseTiktoken(data, "qwen")
	if err != nil {
		t.Fatal(err)
	}
	n := tok.VocabSize()
	return NewVocabulary(func(id int32) []byte {
		if int(id) >= n || tok.IsSpecial(id) {
			return nil
		}
		return tok.TokenBytes(id)
	}, n+1, []int32{int32(n)})
}

// BenchmarkSchemas compiles the table's schemas and generates from each with random tokens of a vocabulary of 151,643: how long
// compiling takes, and a mask at each token.
func BenchmarkSchemas(b *testing.B) {
	var list []tableCase
	b.Run("table", func(b *testing.B) { list = readTable(b) })
	v := realVocabulary(b)
	report := func(b *testing.B, name string, all []time.Duration) {
		slices.Sort(all)
		at := func(q float64) float64 { return float64(all[int(q*float64(len(all)-1))].Nanoseconds()) / 1e3 }
		for _, q := range []float64{0.5, 0.9, 0.99, 1} {
			b.ReportMetric(at(q), fmt.Sprintf("%s_p%g_µs", name, q*100))
		}
		b.ReportMetric(0, "ns/op")
	}
	b.Run("vocabulary", func(b *testing.B) {
		for b.Loop() {
			NewVocabulary(func(id int32) []byte { return v.bytes[id] }, v.size, v.stop)
		}
	})
	var compiled []*Grammar
	b.Run("compile", func(b *testing.B) {
		var all []time.Duration
		for b.Loop() {
			compiled = compiled[:0]
			for _, c := range list {
				start := time.Now()
				g, err := CompileSchema(c.Schema)
				all = append(all, time.Since(start))
				if took := all[len(all)-1]; os.Getenv("LIAN_SLOW") != "" && took > 5*time.Millisecond {
					b.Logf("%v %.150s", took, c.Schema)
				}
				if err != nil {
					b.Fatal(err)
				}
				compiled = append(compiled, g)
			}
		}
		report(b, "compile", all)
	})
	b.Run("mask", func(b *testing.B) {
		bits := make([]uint64, (v.Size()+63)/64)
		var all []time.Duration
		for b.Loop() {
			for i, g := range compiled {
				for seed := range uint64(2) {
					random := rand.New(rand.NewPCG(seed, uint64(i)))
					m := NewMatcher(g, v)
					for range 40 {
						start := time.Now()
						n := m.Mask(bits)
						all = append(all, time.Since(start))
						if took := all[len(all)-1]; os.Getenv("LIAN_SLOW") != "" && took > 3*time.Millisecond {
							b.Logf("%v %.150s", took, list[i].Schema)
						}
						if n == 0 {
							break
						}
						if err := m.Accept(pick(bits, random.IntN(n))); err != nil {
							b.Fatal(err)
						}
					}
				}
			}
		}
		report(b, "mask", all)
	})
}

// pick is number n of the set bits.
func pick(bits []uint64, n int) int32 {
	for id := range int32(len(bits) * 64) {
		if bits[id/64]>>(id%64)&1 == 1 {
			if n == 0 {
				return id
			}
			n--
		}
	}
	return -1
}
