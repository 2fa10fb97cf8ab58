package safetensors

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"lian/verify/shared"
)

func sample(t testing.TB) []byte {
	raw, err := os.ReadFile(filepath.Join(shared.Path(t, "testdata", "golden", "infer", "hf", "qwen3"), SingleFile))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestNoCutFileOpens(t *testing.T) {
	raw := sample(t)
	var before, after runtime.MemStats
	for at := 0; at < len(raw); at += 64 {
		runtime.ReadMemStats(&before)
		_, _, err := parse(raw[:at:at])
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("opened, cut at byte %d of %d", at, len(raw))
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > uint64(len(raw))+1<<20 {
			t.Errorf("cut at byte %d: took %d bytes of memory", at, took)
		}
	}
}

// TestNoNumberOfAHeaderIsTrusted: a file in which one number of the header was changed does not open.
func TestNoNumberOfAHeaderIsTrusted(t *testing.T) {
	raw := sample(t)
	length := int(raw[0]) | int(raw[1])<<8
	header, body := string(raw[8:8+length]), raw[8+length:]
	numbers := regexp.MustCompile(`[\[,][0-9]+[,\]]`).FindAllStringIndex(header, -1)
	if len(numbers) < 20 {
		t.Fatalf("%d numbers in %s", len(numbers), header)
	}
	for _, at := range numbers {
		was := header[at[0]+1 : at[1]-1]
		for _, n := range []string{"0", "-1", "9223372036854775807", "18446744073709551615", "4294967295", "1e3", "null"} {
			if n == was {
				continue
			}
			changed := header[:at[0]+1] + n + header[at[1]-1:]
			if _, _, err := parse(append(file(changed, 0), body...)); err == nil {
				t.Errorf("%s is %s, and the file opens", was, n)
			}
		}
	}
	for _, n := range [][]byte{make([]byte, 8), bytes.Repeat([]byte{255}, 8), append(bytes.Repeat([]byte{255}, 7), 127)} {
		if _, _, err := parse(append(n, raw[8:]...)); err == nil {
			t.Errorf("a header of %x bytes, and the file opens", n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var header strings.Builder
	const tensors = 90_000 // a model of 256 experts
	for i := range tensors {
		fmt.Fprintf(&header, `,"model.layers.%d.mlp.experts.%d.down_proj.weight":{"dtype":"F8_E4M3","shape":[1,2],"data_offsets":[%d,%d]}`, i/1000, i%1000, 2*i, 2*i+2)
	}
	raw := file("{"+header.String()[1:]+"}", 2*tensors)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := parse(raw); err != nil {
			b.Fatal(err)
		}
	}
}
