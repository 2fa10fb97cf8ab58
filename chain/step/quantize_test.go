package step

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lian/compute"
	"lian/dtype"
	"lian/event"
	"lian/format/gguf"
	"lian/quant"
	"lian/verify/shared"
)

func TestAnImportanceMatrixIsComputedOnceForAllAndUsed(t *testing.T) {
	in := shared.Path(t, "testdata", "models", "stories260k", "tinyllamas-stories-260k-f32.gguf")
	dir := t.TempDir()
	text := filepath.Join(dir, "text.jsonl")
	if err := os.WriteFile(text, []byte(`{"text":"The river carries what it is given."}`+"\n"+`{"text":"春天的早晨，街上还没有什么人。"}`+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	matrix := filepath.Join(dir, "m.gguf")
	watch := CalibrationOptions{Calibrate: text, Chunks: 3, ChunkSize: 8}
	r, err := Quantize(context.Background(), in, "", QuantizeOptions{Type: "q4_k_m", ImatrixOut: matrix, CalibrationOptions: watch}, event.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if r.Calibration.Chunks != 3 || r.Calibration.ChunkSize != 8 || r.Calibration.Unused == 0 {
		t.Errorf("calibration: %+v", r.Calibration)
	}
	m, err := quant.ReadImatrix(matrix)
	if err != nil {
		t.Fatal(err)
	}
	if e := m.Entries["blk.0.ffn_down.weight"]; e == nil || e.Counts[0] != 24 || m.Entries["output.weight"] != nil {
		t.Errorf("entries: %v", m.Entries)
	}
	var files [][]byte
	for _, o := range []QuantizeOptions{{Type: "q4_k_m", Imatrix: matrix}, {Type: "q4_k_m", CalibrationOptions: watch}, {Type: "q4_k_m"}} {
		out := filepath.Join(dir, "out.gguf")
		r, err := Quantize(context.Background(), in, out, o, event.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if r.Tensors == 0 || r.Bits <= 0 || r.Requantized != 0 {
			t.Errorf("report: %+v", r)
		}
		f, err := gguf.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		data, err := f.Data("blk.0.attn_q.weight")
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, slices.Clone(data))
		f.Close()
	}
	if !bytes.Equal(files[0], files[1]) || bytes.Equal(files[0], files[2]) {
		t.Errorf("rounded alike: read and computed %v, with and without %v", bytes.Equal(files[0], files[1]), bytes.Equal(files[0], files[2]))
	}
}

func TestWhatQuantizeCannotDoIsSaid(t *testing.T) {
	in := shared.Path(t, "testdata", "models", "llama-2-tiny-random.gguf")
	out := filepath.Join(t.TempDir(), "out.gguf")
	for _, c := range []struct {
		o    QuantizeOptions
		out  string
		says string
	}{
		{QuantizeOptions{Type: "q4"}, out, "q4_k_m"},
		{QuantizeOptions{Type: "q8_0"}, "", "needs OUT"},
		{QuantizeOptions{Type: "q8_0", Keep: []string{"mouth=q8_0"}}, out, "head=TYPE"},
		{QuantizeOptions{Type: "q8_0", TensorType: []string{"a"}}, out, "--tensor-type"},
		{QuantizeOptions{Type: "q8_0", Imatrix: out}, out, "no such file"},
		{QuantizeOptions{Type: "q8_0", Imatrix: in}, out, "expected imatrix"},
		{QuantizeOptions{Type: "q8_0", Imatrix: in, CalibrationOptions: CalibrationOptions{Calibrate: "builtin"}}, out, "give one of them"},
	} {
		_, err := Quantize(context.Background(), in, c.out, c.o, event.Discard)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v, expected %q", c.o, err, c.says)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%+v: a file was written", c.o)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, err := Quantize(ctx, in, out, QuantizeOptions{Type: "q8_0"}, event.Discard); err == nil {
		t.Error("went on after it was stopped")
	}
	if entries, _ := os.ReadDir(filepath.Dir(out)); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

// TestAModelThatLianDoesNotRunIsQuantisedAndThatIsSaid: before the work, and in the report; what needs to run it is refused.
func TestAModelThatLianDoesNotRunIsQuantisedAndThatIsSaid(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "未知.gguf"), filepath.Join(dir, "out.gguf")
	tensors := []gguf.Tensor{
		{Name: "token_embd.weight", Type: dtype.F32, Shape: []int{8, 256}, Data: compute.HostBytes(make([]float32, 8*256))},
		{Name: "blk.0.attn_q.weight", Type: dtype.F32, Shape: []int{4, 256}, Data: compute.HostBytes(make([]float32, 4*256))},
		{Name: "blk.0.norm.weight", Type: dtype.F32, Shape: []int{256}, Data: compute.HostBytes(make([]float32, 256))},
	}
	metadata := []gguf.KeyValue{{Key: "general.architecture", Value: "crystal-ball"}, {Key: "crystal-ball.block_count", Value: uint32(1)}}
	if _, err := gguf.Write(in, metadata, tensors, gguf.Options{}); err != nil {
		t.Fatal(err)
	}
	var told []any
	sink := event.Func(func(kind string, payload any) {
		if kind == KindUnverified {
			told = append(told, payload)
			if _, err := os.Stat(out); err == nil {
				t.Error("told after the work")
			}
		}
	})
	r, err := Quantize(t.Context(), in, out, QuantizeOptions{Type: "q8_0"}, sink)
	if err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || !strings.Contains(r.Unverified, "crystal-ball") || told[0] != r.Unverified || r.Types["q8_0"] != 2 {
		t.Errorf("told %v, report %+v", told, r)
	}
	f, err := gguf.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if info, _ := f.Info("blk.0.attn_q.weight"); info.Type != dtype.Q8_0 {
		t.Errorf("attn_q is %v", info.Type)
	}
	for flag, o := range map[string]QuantizeOptions{"--text": {HeldOutOptions: HeldOutOptions{Text: "held.txt"}}, "--calibrate": {CalibrationOptions: CalibrationOptions{Calibrate: "builtin"}},
		"--imatrix-out": {ImatrixOut: "i.gguf"}, "--max-kl": {BudgetOptions: BudgetOptions{MaxKL: 0.1}}} {
		o.Type = "q8_0"
		if _, err := Quantize(t.Context(), in, out, o, sink); err == nil || !strings.Contains(err.Error(), flag+" needs to") || !strings.Contains(err.Error(), "crystal-ball") {
			t.Errorf("%s: %v", flag, err)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestAQuantisedModelIsMeasuredAgainstItsOriginal(t *testing.T) {
	in := shared.Path(t, "testdata", "models", "llama-2-tiny-random.gguf")
	dir := t.TempDir()
	text := filepath.Join(dir, "held.txt")
	if err := os.WriteFile(text, []byte(quant.Text[:400]), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := Quantize(context.Background(), in, filepath.Join(dir, "o.gguf"), QuantizeOptions{Type: "q8_0", HeldOutOptions: HeldOutOptions{Text: text, Window: 64, Precision: "exact"}}, event.Discard)
	if err != nil {
		t.Fatal(err)
	}
	a, b := r.Measured[0], r.Measured[1]
	if a.MeanKL != 0 || b.MeanKL <= 0 || b.MeanKL > 0.01 || b.KL99 < b.MeanKL || a.Perplexity == b.Perplexity || b.Bits >= a.Bits || a.Tokens < 50 {
		t.Errorf("%+v", r.Measured)
	}
}

func TestADryRunSaysWhatEachTensorBecomes(t *testing.T) {
	in := shared.Path(t, "testdata", "golden", "infer", "gguf", "tiny-llama-f32.gguf") // no tokenizer is needed
	r, err := Quantize(context.Background(), in, "", QuantizeOptions{Type: "iq2_xs", DryRun: true}, event.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Plan) != r.Tensors || r.Plan[0].Name == "" || r.Bytes == 0 {
		t.Errorf("%+v", r)
	}
}

func TestTypesAreChosenForABudget(t *testing.T) {
	in := shared.Path(t, "testdata", "models", "stories260k", "tinyllamas-stories-260k-f32.gguf")
	dir := t.TempDir()
	watch := CalibrationOptions{Calibrate: builtinText, Chunks: 2, ChunkSize: 32}
	run := func(b BudgetOptions) (*QuantizeReport, []byte) {
		out := filepath.Join(dir, "out.gguf")
		r, err := Quantize(context.Background(), in, out, QuantizeOptions{Type: "q4_k_m", BudgetOptions: b, CalibrationOptions: watch}, event.Discard)
		if err != nil {
			t.Fatal(b, err)
		}
		data, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return r, data
	}
	small, bytes1 := run(BudgetOptions{TargetSize: "300KB"})
	if len(bytes1) > 300_000 || len(bytes1) < 270_000 || small.Budget.MeasuredKL <= 0 {
		t.Errorf("%d bytes for 300KB: %+v", len(bytes1), small.Budget)
	}
	if _, again := run(BudgetOptions{TargetSize: "300KB"}); !bytes.Equal(bytes1, again) {
		t.Error("another choice the second time")
	}
	bits, _ := run(BudgetOptions{TargetSize: "8.5bpw"})
	if bits.Bits > 8.5 || bits.Bits < 7.5 {
		t.Errorf("%.2f bits a weight, 8.5 were allowed", bits.Bits)
	}
	near, _ := run(BudgetOptions{MaxKL: 0.001})
	far, _ := run(BudgetOptions{MaxKL: 0.01})
	if near.Budget.MeasuredKL > 0.001 || far.Budget.MeasuredKL > 0.01 || far.Bits >= near.Bits {
		t.Errorf("0.001: %+v at %.2f bits; 0.01: %+v at %.2f bits", near.Budget, near.Bits, far.Budget, far.Bits)
	}
	for _, c := range []struct {
		b    BudgetOptions
		says string
	}{{BudgetOptions{TargetSize: "1KB"}, "at least"}, {BudgetOptions{TargetSize: "soon"}, "no size"}, {BudgetOptions{TargetSize: "4bpw", MaxKL: 1}, "give one"}, {BudgetOptions{TargetSize: "xbpw"}, "4.5bpw"}} {
		_, err := Quantize(context.Background(), in, filepath.Join(dir, "no.gguf"), QuantizeOptions{Type: "q4_k_m", BudgetOptions: c.b, CalibrationOptions: watch}, event.Discard)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v", c.b, err)
		}
	}
}
