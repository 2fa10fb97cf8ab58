// Command gen writes nmt_nfkc.bin.gz; go generate runs it.
package main

import (
	"bytes"
	"compress/gzip"
	"log"

	"lian/store/atomicfile"
	"lian/tokenizer/charmap"
)

func main() {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := w.Write(charmap.Make("nmt_nfkc")); err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	if err := atomicfile.WriteFile("nmt_nfkc.bin.gz", out.Bytes()); err != nil {
		log.Fatal(err)
	}
}
