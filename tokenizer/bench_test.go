package tokenizer_test

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"lian/format/gguf"
	"lian/tokenizer"
	"lian/verify/shared"
)

// batches is a text of about a megabyte in parts of some 4096 characters, cut at line
// ends, from LIAN_BENCH_TEXT or the corpora.
func batches(b *testing.B, name string) (texts []string, size int64) {
	path := os.Getenv("LIAN_BENCH_" + strings.ToUpper(name))
	if path == "" {
		path = shared.Path(b, "testdata", "corpora", "web-mix", map[string]string{"english": "en-novels.jsonl", "chinese": "zh-news.jsonl"}[name])
	}
	data, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	text := string(data)
	for len(text) > 0 && size < 6<<20 {
		end := min(len(text), 4096)
		if i := strings.IndexByte(text[end:], '\n'); i >= 0 {
			end += i + 1
		} else {
			end = len(text)
		}
		texts = append(texts, text[:end])
		size += int64(end)
		text = text[end:]
	}
	return texts, size
}

// cpu is the time that this process has used.
func cpu() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// open is a tokenizer of the test data by a short name.
func open(b *testing.B, name string) *tokenizer.Tokenizer {
	b.Helper()
	var tok *tokenizer.Tokenizer
	var err error
	switch name {
	case "smollm2":
		var f *gguf.File
		if f, err = gguf.Open(shared.Path(b, "testdata", "models", "smollm2-135m-instruct-q4_1.gguf")); err == nil {
			defer f.Close()
			tok, err = tokenizer.FromGGUF(f)
		}
	case "qwen":
		tok, err = tokenizer.Load(shared.Path(b, "testdata", "tokenizers", "qwen", "qwen.tiktoken"))
	case "internlm2":
		tok, err = tokenizer.Load(shared.Path(b, "testdata", "tokenizers", "internlm", "tokenizer_internlm2.model"))
	case "llama2":
		tok, err = tokenizer.Load(shared.Path(b, "testdata", "tokenizers", "llama2", "tokenizer.model"))
	case "unigram":
		tok, err = tokenizer.Load(shared.Path(b, "testdata", "tokenizers", "sentencepiece-unigram", "test_ja_model.model"))
	}
	if err != nil {
		b.Fatal(err)
	}
	return tok
}

// BenchmarkTokenizer gives megabytes a second of processor time, one thread.
func BenchmarkTokenizer(b *testing.B) {
	for _, name := range []string{"smollm2", "qwen", "internlm2", "llama2", "unigram"} {
		tok := open(b, name)
		for _, language := range []string{"english", "chinese"} {
			texts, size := batches(b, language)
			var ids [][]int32
			for _, text := range texts {
				ids = append(ids, tok.Encode(text))
			}
			b.Run(name+"/"+language+"/encode", func(b *testing.B) {
				begun := cpu()
				for b.Loop() {
					for _, text := range texts {
						tok.Encode(text)
					}
				}
				b.ReportMetric(float64(size)*float64(b.N)/1e6/(cpu()-begun).Seconds(), "MB/cpu-s")
			})
			b.Run(name+"/"+language+"/decode", func(b *testing.B) {
				begun := cpu()
				for b.Loop() {
					for _, x := range ids {
						tok.DecodeText(x, false)
					}
				}
				b.ReportMetric(float64(size)*float64(b.N)/1e6/(cpu()-begun).Seconds(), "MB/cpu-s")
			})
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	path := shared.Path(b, "testdata", "tokenizers", "smollm2")
	for b.Loop() {
		if _, err := tokenizer.Load(path); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpenGGUF opens vocabularies of 49 and 102 thousand tokens.
func BenchmarkOpenGGUF(b *testing.B) {
	for name, path := range map[string][]string{
		"49k":  {"testdata", "models", "smollm2-135m-instruct-q4_1.gguf"},
		"102k": {"testdata", "tokenizers", "ggml-vocab", "ggml-vocab-deepseek-llm.gguf"},
	} {
		f, err := gguf.Open(shared.Path(b, path...))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := tokenizer.FromGGUF(f); err != nil {
					b.Fatal(err)
				}
			}
		})
		f.Close()
	}
}
