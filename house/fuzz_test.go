package house

import (
	"go/ast"
	"strings"
	"testing"
)

// parsers are the packages that read bytes from outside: files of others, requests,
// what a model writes. Each has a fuzz test.
var parsers = []string{
	"agent/tools", "chain", "chat", "chat/jinja", "config", "data/document", "data/read", "dtype",
	"engine/grammar", "event", "format/gguf", "format/llama2c", "format/pickle", "format/safetensors", "format/shard", "format/torch", "hub", "serve", "tokenizer",
}

func TestEveryParserIsFuzzed(t *testing.T) {
	fuzzed := map[string]bool{}
	for _, f := range allGoFiles(t) {
		if !f.isTest {
			continue
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Fuzz") {
				fuzzed[f.dir] = true
			}
		}
	}
	for _, dir := range parsers {
		if !fuzzed[dir] {
			t.Errorf("%s reads bytes from outside and has no Fuzz test", dir)
		}
	}
}
