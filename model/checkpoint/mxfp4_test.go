package checkpoint

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"lian/dtype"
	"lian/format/safetensors"
)

// TestPublishedMXFP4KeepsItsValues: numbers 2i and 2i+1 of a block are the nibbles of byte i, times 2^(scale−127).
func TestPublishedMXFP4KeepsItsValues(t *testing.T) {
	values := [16]float64{0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6}
	r := rand.New(rand.NewPCG(1, 2))
	const experts, rows, groups = 3, 5, 2
	blocks, scales := make([]byte, experts*rows*groups*16), make([]byte, experts*rows*groups)
	var want []float32
	for b := range scales {
		scales[b] = byte(110 + r.IntN(30))
		for i := range 16 {
			code := byte(r.UintN(256))
			blocks[16*b+i] = code
			for _, c := range []byte{code & 15, code >> 4} {
				want = append(want, float32(values[c]*math.Exp2(float64(scales[b])-127)))
			}
		}
	}
	write := func(scaleShape []int) *mxfp4 {
		path := filepath.Join(t.TempDir(), "model.safetensors")
		err := safetensors.Write(path, []safetensors.Tensor{{Name: "w_blocks", Type: dtype.U8, Shape: []int{experts, rows, groups, 16}, Data: blocks},
			{Name: "w_scales", Type: dtype.U8, Shape: scaleShape, Data: scales}, {Name: "w_bias", Type: dtype.U8, Shape: []int{1}, Data: []byte{7}}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		file, err := safetensors.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { file.Close() })
		return &mxfp4{Reader: file}
	}
	m := write([]int{experts, rows, groups})
	if names := m.Names(); strings.Join(names, " ") != "w w_bias" && strings.Join(names, " ") != "w_bias w" {
		t.Errorf("names are %v", names)
	}
	info, ok := m.Info("w")
	if !ok || info.String() != "w mxfp4 [3 5 64]" {
		t.Errorf("the tensor is %v", info)
	}
	data, err := m.Data("w")
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float32, len(want))
	if err := dtype.Dequantize(dtype.MXFP4, data, got); err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("value %d is %v, expected %v", i, got[i], want[i])
		}
	}
	if _, err := write([]int{experts, rows * groups}).Data("w"); err == nil || !strings.Contains(err.Error(), "w_scales") {
		t.Errorf("scales of another shape give %v, expected an error that names the tensor", err)
	}
}
