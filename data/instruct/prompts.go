package instruct

import (
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"path/filepath"

	"bufio"
	"bytes"
	"io"
	"strings"

	"lian/chat"
	"lian/data/document"
)

// Prompts are what people see a model do.
type Prompts struct {
	Kind     string `json:"kind"`
	Language string `json:"language"`
	// Probes are five beginnings that a model continues while it is pretrained.
	Probes []string `json:"probes"`
	// Suggestions are questions about held-out documents that a fine-tuned
	// model can try, with the answer where there is one right answer.
	Suggestions []Suggestion `json:"suggestions"`
}

// Suggestion is a prompt that a page offers.
type Suggestion struct {
	Prompt   string      `json:"prompt"`
	Template string      `json:"template"`
	Answer   string      `json:"answer"`
	Tools    []chat.Tool `json:"tools,omitempty"` // to be offered with it
}

// Probes gives five beginnings for a kind of documents in a language.
func Probes(kind, language string) ([]string, error) {
	t, err := For(kind, language)
	if err != nil {
		return nil, err
	}
	return t.Probes, nil
}

const suggestionsEach = 2

func (b *builder) prompts() Prompts {
	main := b.pools[0]
	p := Prompts{Language: main.templates.Language, Probes: main.templates.Probes}
	if len(main.train) > 0 {
		p.Kind = b.documents[main.train[0]].Kind
	}
	documents := main.heldOut
	if len(documents) == 0 {
		documents = main.train
	}
	offer := func(t *Template, f filled) {
		s := Suggestion{Prompt: f.ask, Template: t.Name, Answer: f.answer}
		if t.Call != "" {
			s.Tools = Tools(b.Language)
		}
		p.Suggestions = append(p.Suggestions, s)
	}
	for _, name := range main.templates.Suggestions {
		for k := range main.templates.Templates {
			if t := &main.templates.Templates[k]; t.Name == name {
				for _, f := range b.draw(t, documents, suggestionsEach, nil) {
					offer(t, f)
				}
			}
		}
	}
	for k := range b.arithmet.Templates {
		if t := &b.arithmet.Templates[k]; t.is(TaskTool) {
			for _, f := range b.drawArithmetic(t, 1, document.HeldOut) {
				offer(t, f)
			}
		}
	}
	return p
}

// ReadPrompts reads the prompts that Make wrote to a folder.
func ReadPrompts(dir string) (Prompts, error) {
	var p Prompts
	path := filepath.Join(dir, PromptsFile)
	content, err := os.ReadFile(path)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(content, &p); err != nil {
		return p, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// ReadExamples gives the conversations of a file in order.
func ReadExamples(path string) iter.Seq2[Example, error] { return lines[Example](path) }

// Texts gives everything said in the training conversations of a folder that
// Make wrote: a tokenizer is trained on it along with the documents, or words
// of the questions cost a token a byte.
func Texts(dir string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for e, err := range ReadExamples(filepath.Join(dir, TrainFile)) {
			if err != nil {
				yield("", err)
				return
			}
			var text strings.Builder
			for _, tool := range e.Tools {
				text.WriteString(tool.Name + "(" + string(tool.Parameters) + "): " + tool.Description + "\n")
			}
			for _, m := range e.Messages {
				text.WriteString(m.Role + "\n" + m.Content + "\n")
				for _, call := range m.ToolCalls {
					text.WriteString(`{"name": "` + call.Name + `", "arguments": ` + string(call.Arguments) + "}\n")
				}
			}
			if !yield(text.String(), nil) {
				return
			}
		}
	}
}

// ReadQuestions gives the questions of a file in order.
func ReadQuestions(path string) iter.Seq2[Question, error] { return lines[Question](path) }

func lines[T any](path string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		file, err := os.Open(path)
		if err != nil {
			yield(none, err)
			return
		}
		defer file.Close()
		reader := bufio.NewReaderSize(file, 1<<16)
		for number := 1; ; number++ {
			line, err := reader.ReadBytes('\n')
			if err != nil && err != io.EOF {
				yield(none, fmt.Errorf("%s:%d: %w", path, number, err))
				return
			}
			if len(bytes.TrimSpace(line)) > 0 {
				var v T
				if problem := json.Unmarshal(line, &v); problem != nil {
					yield(none, fmt.Errorf("%s:%d: %w", path, number, problem))
					return
				}
				if !yield(v, nil) {
					return
				}
			}
			if err == io.EOF {
				return
			}
		}
	}
}
