package llama2c

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lian/dtype"
	"lian/format/formattest"
	"lian/format/torch"
	"lian/verify/shared"
)

var tiny = Config{Dim: 8, HiddenDim: 12, Layers: 2, Heads: 4, KVHeads: 2, Vocab: 5, Context: 6, GroupSize: 4}

// encode writes a model of a version with random weights, as export.py does, and
// returns the float32 values of each tensor that a reader should give.
func encode(version int, tied bool) (file []byte, want map[string][]float32) {
	c := tiny
	c.Version, c.Tied = version, tied
	le := binary.LittleEndian
	vocab := c.Vocab
	if version == 0 {
		if !tied {
			vocab = -vocab
		}
	} else {
		file = le.AppendUint32(le.AppendUint32(file, magic), uint32(version))
	}
	for _, n := range []int{c.Dim, c.HiddenDim, c.Layers, c.Heads, c.KVHeads, vocab, c.Context} {
		file = le.AppendUint32(file, uint32(int32(n)))
	}
	if version > 0 {
		file = append(file, 0)
		if tied {
			file[len(file)-1] = 1
		}
		file = le.AppendUint32(file, uint32(c.GroupSize))
		file = append(file, make([]byte, header-len(file))...)
	}
	random := rand.New(rand.NewPCG(1, 2))
	want = map[string][]float32{}
	for _, p := range c.pieces() {
		layers := 1
		if p.layered() {
			layers = c.Layers
		}
		for layer := range layers {
			var values []float32
			if c.quantized(p) {
				n := p.rows * p.columns
				q, scales := make([]int8, n), make([]float32, n/c.GroupSize)
				for i := range scales {
					scales[i] = random.Float32()
				}
				for i := range q {
					q[i] = int8(random.IntN(255) - 127)
					values = append(values, float32(q[i])*scales[i/c.GroupSize])
					file = append(file, byte(q[i]))
				}
				for _, s := range scales {
					file = le.AppendUint32(file, math.Float32bits(s))
				}
			} else {
				for range max(p.rows, 1) * p.columns {
					values = append(values, random.Float32())
					file = le.AppendUint32(file, math.Float32bits(values[len(values)-1]))
				}
			}
			if !p.layered() {
				layer = -1
			}
			want[p.info(layer).Name] = values
		}
	}
	return file, want
}

func TestEveryVersionIsReadAsItWasWritten(t *testing.T) {
	for version := range 3 {
		for _, tied := range []bool{false, true} {
			raw, want := encode(version, tied)
			path := filepath.Join(t.TempDir(), "模型.bin")
			if err := os.WriteFile(path, raw, 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			delete(want, rotaryCos)
			delete(want, rotarySin)
			if len(f.Names()) != len(want) || f.Config.Version != version || f.Config.Tied != tied {
				t.Errorf("version %d: %d tensors, want %d; %+v", version, len(f.Names()), len(want), f.Config)
			}
			for name, values := range want {
				data, err := f.Data(name)
				got := make([]float32, len(values))
				if err == nil {
					err = dtype.Dequantize(dtype.F32, data, got)
				}
				for i := range values {
					if err != nil || got[i] != values[i] {
						t.Fatalf("version %d: %s[%d] is %v, want %v (%v)", version, name, i, got[i], values[i], err)
					}
				}
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			if _, err := f.Data("norm.weight"); err == nil || !strings.Contains(err.Error(), "closed") {
				t.Errorf("after Close: %v", err)
			}
		}
	}
}

// TestTheExportIsTheCheckpoint: stories260K as PyTorch saved it and as llama2.c
// exported it.
func TestTheExportIsTheCheckpoint(t *testing.T) {
	f, err := Open(shared.Path(t, "testdata", "models", "stories260k", "stories260K.bin"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	checkpoint, err := torch.Open(shared.Path(t, "testdata", "models", "stories260k", "stories260K.pt"))
	if err != nil {
		t.Fatal(err)
	}
	defer checkpoint.Close()
	state, err := checkpoint.State()
	if err != nil {
		t.Fatal(err)
	}
	if want := (Config{Dim: 64, HiddenDim: 172, Layers: 5, Heads: 8, KVHeads: 4, Vocab: 512, Context: 512, Tied: true, HeaderBytes: 28}); f.Config != want {
		t.Errorf("%+v, want %+v", f.Config, want)
	}
	for _, name := range state.Names() {
		if name == "output.weight" { // tied
			continue
		}
		want, err := state.Data(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := f.Data(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s differs (%v)", name, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	legacy, _ := encode(0, true)
	v1, _ := encode(1, true)
	v2, _ := encode(2, true)
	set := func(raw []byte, at int, v uint32) []byte {
		raw = bytes.Clone(raw)
		binary.LittleEndian.PutUint32(raw[at:], v)
		return raw
	}
	for _, c := range []struct {
		why  string
		file []byte
		says string
	}{
		{"empty", nil, "too few"},
		{"a header cut off", v1[:100], "too few"},
		{"version 3", set(v1, 4, 3), "version 3"},
		{"one byte too many", append(bytes.Clone(legacy), 0), "takes 4236 bytes, the file has 4237"},
		{"no layers", set(legacy, 8, 0), "n_layers is 0"},
		{"many layers", set(legacy, 8, 1<<20), "n_layers is 1048576, more than"},
		{"a size that is everything", set(legacy, 0, 1<<24), "takes"},
		{"heads that do not divide", set(legacy, 12, 3), "whole groups"},
		{"a flag", set(v1, 36, 7), "flag"},
		{"a group size", set(v2, 37, 3), "group size 3"},
	} {
		if _, _, err := parse(c.file); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.why, err, c.says)
		}
	}
	config, places, err := parse(v2)
	if err != nil {
		t.Fatal(err)
	}
	last := places[len(places)-1]
	if _, err := last.data(set(v2, last.scales, math.Float32bits(float32(math.NaN()))), config.GroupSize); err == nil || !strings.Contains(err.Error(), "scale of group 0") {
		t.Errorf("a scale that is no number: %v", err)
	}
}

func TestBrokenFilesAreErrors(t *testing.T) {
	for version := range 3 {
		raw, _ := encode(version, false)
		formattest.Parser{Parse: func(file []byte) error { _, _, err := parse(file); return err }, Room: 4 << 20}.Break(t, raw)
	}
}

// FuzzParse: no bytes make the parser panic, and what it accepts can be read.
func FuzzParse(f *testing.F) {
	for version := range 3 {
		raw, _ := encode(version, version == 1)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, places, err := parse(raw)
		if err != nil {
			return
		}
		for _, p := range places {
			if data, err := p.data(raw, c.GroupSize); err == nil && int64(len(data)) != p.info.Bytes {
				t.Errorf("%v has %d bytes", p.info, len(data))
			}
		}
	})
}
