package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"lian/chat"
	"lian/compute/cpu"
	"lian/dtype"
	"lian/model/checkpoint"
	families "lian/model/family"
	"lian/model/nn"
	"lian/tokenizer/train"
)

// tinyModel is a model folder that speaks nonsense: two layers, random weights, a tokenizer, a chat template.
var tinyModel = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "lian-tiny-*")
	if err != nil {
		return "", err
	}
	texts := []string{"the quick brown fox jumps over the lazy dog", "从前有座山，山上有座庙", "床前明月光，疑是地上霜"}
	tok, err := train.Train(context.Background(), slices.Values(texts), train.Options{VocabSize: 300, Special: []string{"<|endoftext|>", "<|im_start|>", "<|im_end|>"}})
	if err != nil {
		return "", err
	}
	f, err := families.ByName("llama")
	if err != nil {
		return "", err
	}
	s := nn.Spec{Family: "llama", Vocab: tok.VocabSize(), Hidden: 32, Layers: 2, Context: 512, Norm: nn.Norm{Epsilon: 1e-5}, Block: nn.Block{
		Attention:   nn.Attention{Heads: 4, KVHeads: 2, HeadSize: 8, RoPE: nn.RoPE{Theta: 10000, Rotary: 8}},
		FeedForward: nn.FeedForward{Hidden: 64}}}
	b := cpu.New(1)
	m, err := nn.Initialise(b, s, 7, 0.2)
	if err != nil {
		return "", err
	}
	if err := checkpoint.SaveFolder(dir, b.NewStream(), f, m, checkpoint.FolderOptions{Type: dtype.F32, Extra: map[string]any{"bos_token_id": 0, "eos_token_id": 2}}); err != nil {
		return "", err
	}
	if err := tok.Save(filepath.Join(dir, "tokenizer.json")); err != nil {
		return "", err
	}
	tpl, err := chat.BuiltIn("lian")
	if err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "chat_template.jinja"), []byte(tpl.Source()), 0o644)
})

// TestModelScripts runs the scripts in testdata/models; each finds the tiny model as the folder "tiny".
func TestModelScripts(t *testing.T) {
	dir, err := tinyModel()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	hub := tinyHub(dir)
	t.Cleanup(hub.Close)
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "models"),
		Setup: func(env *testscript.Env) error {
			env.Setenv("LIAN_HOME", filepath.Join(env.WorkDir, "home"))
			env.Setenv("LIAN_LANG", "en")
			env.Setenv("HF_HOME", filepath.Join(env.WorkDir, "hfhome"))
			env.Setenv("HF_ENDPOINT", hub.URL)
			env.Setenv("OLLAMA_MODELS", filepath.Join(env.WorkDir, "ollama"))
			return os.CopyFS(filepath.Join(env.WorkDir, "tiny"), os.DirFS(dir))
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"status": exitStatus,
			"lines":  jsonLines,
			"ollama": intoOllama,
		},
	})
}

// tinyHub is a hub of Hugging Face's kind that has the folder as hf-internal/tiny.
func tinyHub(dir string) *httptest.Server {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	api := "/api/models/hf-internal/tiny"
	mux := http.NewServeMux()
	mux.HandleFunc(api+"/revision/main", func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"sha": commit})
	})
	mux.HandleFunc(api+"/tree/"+commit, func(w http.ResponseWriter, r *http.Request) {
		var list []map[string]any
		entries, err := os.ReadDir(dir)
		for _, e := range entries {
			text, readErr := os.ReadFile(filepath.Join(dir, e.Name()))
			err = errors.Join(err, readErr)
			sum := sha256.Sum256(text)
			list = append(list, map[string]any{"type": "file", "path": e.Name(), "size": 130, "lfs": map[string]any{"oid": hex.EncodeToString(sum[:]), "size": len(text)}})
		}
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
		json.NewEncoder(w).Encode(list)
	})
	mux.Handle("/hf-internal/tiny/resolve/"+commit+"/", http.StripPrefix("/hf-internal/tiny/resolve/"+commit, http.FileServer(http.Dir(dir))))
	return httptest.NewServer(mux)
}

// intoOllama is "ollama GGUF STORE NAME": the file, a licence and parameters become a model of a store of Ollama.
func intoOllama(ts *testscript.TestScript, neg bool, args []string) {
	store := ts.MkAbs(args[1])
	var layers []map[string]any
	for _, l := range []struct{ kind, text string }{{"model", ts.ReadFile(args[0])}, {"license", "Apache License\nVersion 2.0"}, {"params", `{"temperature": 0.5, "stop": ["a"]}`}} {
		sum := sha256.Sum256([]byte(l.text))
		digest := hex.EncodeToString(sum[:])
		layers = append(layers, map[string]any{"mediaType": "application/vnd.ollama.image." + l.kind, "digest": "sha256:" + digest, "size": len(l.text)})
		ts.Check(os.MkdirAll(filepath.Join(store, "blobs"), 0o777))
		ts.Check(os.WriteFile(filepath.Join(store, "blobs", "sha256-"+digest), []byte(l.text), 0o666))
	}
	text, err := json.Marshal(map[string]any{"schemaVersion": 2, "layers": layers})
	ts.Check(err)
	path := filepath.Join(store, "manifests", filepath.FromSlash(args[2]))
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o777))
	ts.Check(os.WriteFile(path, text, 0o666))
}
