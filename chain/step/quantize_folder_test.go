package step

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lian/event"
	"lian/quant"
	"lian/verify/shared"
)

func TestAFolderOfWholeNumbersComesBack(t *testing.T) {
	in := shared.Path(t, "testdata", "models", "stories260k", "tinyllamas-stories-260k-f32.gguf")
	dir := t.TempDir()
	text := filepath.Join(dir, "held.txt")
	stories, err := os.ReadFile(shared.Path(t, "testdata", "tokenizers", "bpe-training", "tinystories_sample.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(text, stories, 0o644); err != nil {
		t.Fatal(err)
	}
	kl, layouts := map[string]float64{}, map[string]string{"rtn": "gptq", "hqq": "gptq", "gptq": "gptq", "awq": "awq", "smoothquant": "compressed-tensors"}
	for _, method := range []string{"rtn", "hqq", "gptq", "awq", "smoothquant"} {
		out := filepath.Join(dir, method)
		r, err := Quantize(context.Background(), in, out, QuantizeOptions{Type: "q4_k_m", Method: method, Affine: quant.Affine{Group: 32, ActOrder: true},
			CalibrationOptions: CalibrationOptions{Calibrate: "builtin", Chunks: 8, ChunkSize: 128}, HeldOutOptions: HeldOutOptions{Text: text, Window: 128, Precision: "exact"}}, event.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if r.Tensors == 0 || r.Bytes == 0 {
			t.Errorf("%s: %+v", method, r)
		}
		kl[method] = r.Measured[1].MeanKL
		raw, err := os.ReadFile(filepath.Join(out, "config.json"))
		if err != nil {
			t.Fatal(err)
		}
		var config struct {
			Quantization map[string]any `json:"quantization_config"`
		}
		if err := json.Unmarshal(raw, &config); err != nil || config.Quantization["quant_method"] != layouts[method] || layouts[method] == "gptq" && config.Quantization["desc_act"] != (method == "gptq") {
			t.Errorf("%s: config.json says %v, %v", method, config.Quantization, err)
		}
	}
	if kl["rtn"] > 0.15 || kl["gptq"] <= 0 || kl["gptq"] > kl["rtn"] || kl["hqq"] > kl["rtn"] || kl["awq"] > kl["rtn"] || kl["smoothquant"] > 0.002 {
		t.Errorf("divergence %v", kl)
	}
	_, err = Quantize(context.Background(), in, filepath.Join(dir, "x"), QuantizeOptions{Type: "q4_k_m", Method: "gptq", Affine: quant.Affine{Bits: 5, Group: 32}}, event.Discard)
	if err == nil || !strings.Contains(err.Error(), "2, 3, 4 or 8") {
		t.Errorf("5 bits: %v", err)
	}
}
