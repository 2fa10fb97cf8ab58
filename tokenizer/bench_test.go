package tokenizer_test

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"

	"lian/tokenizer"
	"lian/verify/shared"
)

// documents is about a megabyte of the texts in a JSON lines file.
func documents(b *testing.B, name string) (texts []string, size int64) {
	file, err := os.Open(shared.Path(b, "testdata", "corpora", "web-mix", name))
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<26)
	for lines.Scan() && size < 1<<20 {
		var d struct{ Text, Content string }
		if err := json.Unmarshal(lines.Bytes(), &d); err != nil {
			b.Fatal(err)
		}
		text := d.Text + d.Content
		texts = append(texts, text)
		size += int64(len(text))
	}
	return texts, size
}

func BenchmarkEncode(b *testing.B) {
	tok, err := tokenizer.Load(shared.Path(b, "testdata", "tokenizers", "minimind"))
	if err != nil {
		b.Fatal(err)
	}
	for name, file := range map[string]string{"english": "en-novels.jsonl", "chinese": "zh-news.jsonl"} {
		texts, size := documents(b, file)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				for _, text := range texts {
					tok.Encode(text)
				}
			}
		})
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
