package document

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
)

// Append writes one document as a line of JSON. Fields are written in the
// order of their names, so equal documents give equal bytes.
func Append(w io.Writer, d *Document) error {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(d); err != nil {
		return fmt.Errorf("document %s: %w", d.ID, err)
	}
	_, err := w.Write(line.Bytes())
	return err
}

// Read gives the documents of a JSON-lines file in order, lines of any length.
// After an error, which names file and line, nothing more is given.
func Read(path string) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		file, err := os.Open(path)
		if err != nil {
			yield(Document{}, err)
			return
		}
		defer file.Close()
		read(file, path, yield)
	}
}

func read(r io.Reader, name string, yield func(Document, error) bool) {
	reader := bufio.NewReaderSize(r, 1<<16)
	for number := 1; ; number++ {
		line, err := reader.ReadBytes('\n')
		if err != nil && err != io.EOF {
			yield(Document{}, fmt.Errorf("%s:%d: %w", name, number, err))
			return
		}
		if content := bytes.TrimSpace(line); len(content) > 0 {
			var d Document
			if problem := json.Unmarshal(content, &d); problem != nil {
				yield(Document{}, fmt.Errorf("%s:%d: not a document: %w; the file is damaged or not made by lian data", name, number, problem))
				return
			}
			if d.ID == "" {
				yield(Document{}, fmt.Errorf("%s:%d: document without an id; see docs/format/document.md", name, number))
				return
			}
			if !yield(d, nil) {
				return
			}
		}
		if err == io.EOF {
			return
		}
	}
}
