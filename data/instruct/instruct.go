// Package instruct makes conversations to fine-tune on, and questions to
// measure with, out of cleaned documents: templates (data files, by kind and
// language) over the documents' named parts.
//
// It guarantees that questions are about documents that no training example
// was made of, that no question occurs among the training examples, that the
// right choices are evenly spread over the positions, that a tool's result in
// an example is what the real search returns and holds the answer, and that
// equal documents, options and seed give equal bytes. What the templates could
// not use is counted in the report. It refuses documents that are not on disk
// in the form of package document.
//
// The questions are formal on purpose (what does this declare, five characters
// or seven, which file): a model of a few million parameters can learn them in
// a minute and they can be answered about documents it never saw, so they tell
// whether fine-tuning worked. They do not measure knowledge.
package instruct

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"lian/data/document"
	"lian/index"
	"lian/store"
)

// Options say how many of what to make.
type Options struct {
	Output         string `yaml:"output" help:"folder to write to; empty is instruct in the documents' folder"`
	Seed           uint64 `yaml:"seed" help:"seed of every choice made" default:"1"`
	Examples       int    `yaml:"examples" help:"most conversations to train on" default:"8000" range:"1.."`
	Questions      int    `yaml:"questions" help:"most questions of each task to measure with" default:"150" range:"1.."`
	AgentQuestions int    `yaml:"agent_questions" help:"most questions for agents" default:"60" range:"0.."`
	Language       string `yaml:"language" help:"language of the questions, en or zh; empty follows the documents"`
}

// Names of the files that Make writes.
const (
	TrainFile     = "train.jsonl"     // Example
	HeldOutFile   = "heldout.jsonl"   // Example, of held-out documents: for the loss
	QuestionsFile = "questions.jsonl" // Question: choice, exact, tool
	AgentFile     = "agent.jsonl"     // Question: agent
	PromptsFile   = "prompts.json"    // Prompts
	// SuggestionsFile is the Suggestions of PromptsFile alone: it is copied along with a model, for its chat page.
	SuggestionsFile = "suggestions.json"
	ReportFile      = "report.json" // Report
)

// Report says what was made.
type Report struct {
	Kinds     map[string]int            `json:"kinds"` // training documents by kind that questions were made of
	Language  string                    `json:"language"`
	Train     int                       `json:"train"`
	HeldOut   int                       `json:"held_out"`
	Templates map[string]int            `json:"templates"` // training examples by template
	Questions map[string]map[string]int `json:"questions"` // by task and template
	Chance    map[string]float64        `json:"chance"`    // by task: what guessing earns on average
	Unused    map[string]int            `json:"unused,omitempty"`
	Notes     []string                  `json:"notes,omitempty"`
}

// Why a document's view made no example, in Report.Unused.
const (
	unusedNotFound = "the search result does not hold the answer"
	unusedTrained  = "the question occurs among the training examples"
	unusedChoices  = "too few different choices"
)

// Make writes conversations and questions about the documents of a folder that
// data.Run wrote.
func Make(ctx context.Context, docsDir string, o Options) (*Report, error) {
	if o.Output == "" {
		o.Output = filepath.Join(docsDir, "instruct")
	}
	if o.Examples < 1 || o.Questions < 1 {
		return nil, fmt.Errorf("examples and questions must be 1 or more, not %d and %d", o.Examples, o.Questions)
	}
	documents, err := readAll(docsDir)
	if err != nil {
		return nil, err
	}
	b, err := newBuilder(documents, o)
	if err != nil {
		return nil, err
	}
	train := b.examples(document.Train, o.Examples)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(train) == 0 {
		return nil, fmt.Errorf("%s: no template fits any of %d documents; see docs/format/document.md for the fields they need", docsDir, len(documents))
	}
	heldOut := b.examples(document.HeldOut, min(o.Examples, max(100, o.Questions*3)))
	questions := b.questions(o.Questions)
	agent := b.agentQuestions(o.AgentQuestions)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.report.Train, b.report.HeldOut = len(train), len(heldOut)
	if err := os.MkdirAll(o.Output, 0o755); err != nil {
		return nil, err
	}
	prompts := b.prompts()
	return b.report, errors.Join(
		writeLines(filepath.Join(o.Output, TrainFile), train),
		writeLines(filepath.Join(o.Output, HeldOutFile), heldOut),
		writeLines(filepath.Join(o.Output, QuestionsFile), questions),
		writeLines(filepath.Join(o.Output, AgentFile), agent),
		writeIndented(filepath.Join(o.Output, PromptsFile), prompts),
		writeIndented(filepath.Join(o.Output, SuggestionsFile), prompts.Suggestions),
		writeIndented(filepath.Join(o.Output, ReportFile), b.report),
	)
}

// pool is the documents that share templates.
type pool struct {
	templates *Templates
	weight    float64
	train     []int // indexes of documents
	heldOut   []int
	frequent  map[string][]string // by fact
}

type builder struct {
	Options
	documents []document.Document
	facts     map[int][]Facts
	pools     []*pool
	search    *index.Index
	arithmet  *Templates
	asked     map[string]bool // template and question of every training example
	values    map[string][]string
	report    *Report
}

// leastShare of the documents makes a kind worth asking about: a few pages
// beside thousands of symbols would only blur what is learnt.
const leastShare = 0.1

func newBuilder(documents []document.Document, o Options) (*builder, error) {
	b := &builder{
		Options: o, documents: documents, facts: map[int][]Facts{}, search: indexOf(documents), asked: map[string]bool{}, values: map[string][]string{},
		report: &Report{Kinds: map[string]int{}, Templates: map[string]int{}, Questions: map[string]map[string]int{}, Chance: map[string]float64{}, Unused: map[string]int{}},
	}
	if b.Language == "" {
		b.Language = languageOf(documents)
	}
	b.report.Language = b.Language
	byTemplates := map[*Templates]*pool{}
	for i := range documents {
		d := &documents[i]
		language := b.Language
		if o.Language == "" && (d.Language == document.Chinese || d.Language == document.English) {
			language = d.Language
		}
		templates, err := For(d.Kind, language)
		if err != nil {
			return nil, err
		}
		p := byTemplates[templates]
		if p == nil {
			p = &pool{templates: templates}
			byTemplates[templates] = p
			b.pools = append(b.pools, p)
		}
		if d.Split == document.HeldOut {
			p.heldOut = append(p.heldOut, i)
		} else {
			p.train = append(p.train, i)
		}
	}
	sort.SliceStable(b.pools, func(i, j int) bool { return len(b.pools[i].train) > len(b.pools[j].train) })
	kept := b.pools[:0]
	total := 0
	for i, p := range b.pools {
		if i == 0 || float64(len(p.train)) >= leastShare*float64(len(documents)) {
			kept = append(kept, p)
			total += len(p.train)
		} else {
			b.note("%d documents of %v are left out of the questions: fewer than a tenth", len(p.train)+len(p.heldOut), p.templates.Kinds)
		}
	}
	b.pools = kept
	for _, p := range b.pools {
		b.countFrequent(p)
		p.weight = float64(len(p.train)) / float64(max(total, 1))
		for _, i := range p.train {
			b.report.Kinds[documents[i].Kind]++
		}
	}
	var err error
	b.arithmet, err = For("calculate", b.Language)
	return b, err
}

func (b *builder) note(format string, args ...any) {
	b.report.Notes = append(b.report.Notes, fmt.Sprintf(format, args...))
}

func languageOf(documents []document.Document) string {
	chinese, english := 0, 0
	for i := range documents {
		switch documents[i].Language {
		case document.Chinese:
			chinese += len(documents[i].Text)
		case document.English:
			english += len(documents[i].Text)
		}
	}
	if chinese > english {
		return document.Chinese
	}
	return document.English
}

// factsOf gives a document's views, with what is known only of the corpus as a
// whole: frequent values and topics.
func (b *builder) factsOf(i int) []Facts {
	f, ok := b.facts[i]
	if !ok {
		d := &b.documents[i]
		f = FactsOf(d)
		if len(f) > 0 {
			for _, p := range b.pools {
				b.addCommon(p, d, f[0])
			}
		}
		b.facts[i] = f
	}
	return f
}

// addCommon adds the facts topic and frequent_… to the first view.
func (b *builder) addCommon(p *pool, d *document.Document, view Facts) {
	if !contains(p.templates.Kinds, d.Kind) {
		return
	}
	for fact := range p.templates.Frequent {
		if contains(p.frequent[fact], view[fact]) {
			view["frequent_"+fact] = view[fact]
		}
	}
	for _, topic := range p.templates.Topics {
		if strings.Contains(d.Text, topic) {
			view["topic"] = topic
			break
		}
	}
}

// countFrequent finds the most frequent values among the documents to train on.
func (b *builder) countFrequent(p *pool) {
	p.frequent = map[string][]string{}
	for fact, most := range p.templates.Frequent {
		counts := map[string]int{}
		for _, i := range p.train {
			if v := b.documents[i].Fields[fact]; v != "" && len(v) <= shortKey {
				counts[v]++
			}
		}
		names := slices.Sorted(maps.Keys(counts))
		sort.SliceStable(names, func(x, y int) bool { return counts[names[x]] > counts[names[y]] })
		p.frequent[fact] = names[:min(most, len(names))]
	}
}

func writeLines[T any](path string, list []T) error {
	file, err := store.Create(path)
	if err != nil {
		return err
	}
	defer file.Abort()
	encoder := json.NewEncoder(file)
	encoder.SetEscapeHTML(false)
	for i := range list {
		if err := encoder.Encode(&list[i]); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return file.Commit()
}

func writeIndented(path string, v any) error {
	content, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return store.WriteFile(path, append(content, '\n'))
}
