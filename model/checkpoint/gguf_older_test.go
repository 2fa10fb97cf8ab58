package checkpoint

import (
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"

	"lian/compute/cpu"
	"lian/dtype"
	"lian/format"
	"lian/format/gguf"
	"lian/verify/shared"
)

// TestDeepSeekOfBeforeApril2025IsRead: keys' and values' own parts in one tensor, head by head, and the heads' sizes under the
// usual names.
func TestDeepSeekOfBeforeApril2025IsRead(t *testing.T) {
	was, err := Open(shared.Path(t, "testdata", "golden", "infer", "hf", "deepseek_v2"), cpu.New(1), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer was.Close()
	dir := t.TempDir()
	newer, older := filepath.Join(dir, "newer.gguf"), filepath.Join(dir, "older.gguf")
	saveGGUF(t, newer, was)
	f, err := gguf.Open(newer)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a := was.Model.Spec.Attention
	var metadata []gguf.KeyValue
	for _, kv := range f.Metadata() {
		switch strings.TrimPrefix(kv.Key, "deepseek2.attention.") {
		case "key_length_mla", "value_length_mla":
			continue
		case "head_count_kv":
			kv.Value = uint32(a.Heads)
		case "key_length":
			kv.Value = uint32(a.HeadSize)
		case "value_length":
			kv.Value = uint32(a.Values())
		}
		metadata = append(metadata, kv)
	}
	var tensors []format.Tensor
	for _, name := range f.Names() {
		info, _ := f.Info(name)
		data, err := f.Data(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "attn_v_b.weight") {
			continue
		}
		if before, ok := strings.CutSuffix(name, "attn_k_b.weight"); ok {
			name = before + "attn_kv_b.weight"
			k, _ := f.Float32s(before + "attn_k_b.weight") // [heads, rank, nope]
			v, _ := f.Float32s(before + "attn_v_b.weight") // [heads, values, rank]
			nope, rank := a.HeadSize-a.RoPE.Rotary, a.Latent.Rank
			data = nil
			put := func(x float32) { data, _ = binary.Append(data, binary.LittleEndian, x) }
			for h := range a.Heads {
				for n := range nope {
					for r := range rank {
						put(k[(h*rank+r)*nope+n])
					}
				}
				for i := range a.Values() * rank {
					put(v[h*a.Values()*rank+i])
				}
			}
			info = format.Info{Name: name, Type: dtype.F32, Shape: []int{a.Heads * (nope + a.Values()), rank}}
		}
		tensors = append(tensors, format.Tensor{Name: name, Type: info.Type, Shape: info.Shape, Data: data})
	}
	if _, err := gguf.Write(older, metadata, tensors, gguf.Options{}); err != nil {
		t.Fatal(err)
	}
	openAgain(t, older, was, "deepseek_v2")
}
