package instruct

import (
	"os"
	"path/filepath"

	"lian/data"
	"lian/data/document"
	"lian/index"
)

// Searchable is a document as the search tool knows it. Notes and code show
// their file, Go symbols are found by their qualified name.
func Searchable(d *document.Document) index.Document {
	found := index.Document{ID: d.ID, Title: d.Title, Text: d.Text}
	switch d.Kind {
	case document.KindGo:
		if d.Fields["what"] != "example" {
			found.Title = d.Fields["package"] + "." + d.Fields["name"]
		}
	case document.KindMarkdown, document.KindText, document.KindHTML, document.KindCode:
		found.Source = d.Fields["file"]
	}
	return found
}

// OpenIndex indexes the cleaned documents of a folder that data.Run wrote,
// held-out ones too: a search may find what a model was not trained on.
func OpenIndex(docsDir string) (*index.Index, error) {
	documents, err := readAll(docsDir)
	if err != nil {
		return nil, err
	}
	return indexOf(documents), nil
}

func indexOf(documents []document.Document) *index.Index {
	list := make([]index.Document, len(documents))
	for i := range documents {
		list[i] = Searchable(&documents[i])
	}
	return index.New(list)
}

// readAll reads the kept documents, those to train on first.
func readAll(docsDir string) ([]document.Document, error) {
	var all []document.Document
	for _, name := range []string{data.TrainFile, data.HeldOutFile} {
		path := filepath.Join(docsDir, name)
		if _, err := os.Stat(path); err != nil {
			return nil, err
		}
		for d, err := range document.Read(path) {
			if err != nil {
				return nil, err
			}
			d.Verdicts = nil
			all = append(all, d)
		}
	}
	return all, nil
}
