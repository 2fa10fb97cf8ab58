package step

import (
	"fmt"
	"os"
	"path/filepath"

	"lian/chain"
	"lian/chat"
	"lian/compute"
	"lian/event"
	"lian/model/checkpoint"
	"lian/model/family"
	"lian/model/nn"
	"lian/tokenizer"
)

// FromOptions say what a pretraining starts from, if not from nothing.
type FromOptions struct {
	Model string `yaml:"from" help:"go on from this model instead of a new one, with its tokenizer unless another is given; sizes of --model.* that are larger than its own make it grow"`
	Grow  string `yaml:"grow" help:"what more layers do at first: nothing (preserve: the larger model computes what the smaller did), or what the layer below does (stack)" default:"preserve" range:"preserve|stack"`
}

// beginning is what a pretraining moves, and what it is saved with.
type beginning struct {
	model    *nn.Decoder
	family   *family.Family
	config   map[string]any // fields of the config.json it was opened with; nil for a new one
	template *chat.Template
	How      string // in words
}

// embeddingRows are the rows of a new model's embedding: the vocabulary in whole blocks of 32, so that every format can hold it.
func embeddingRows(vocabulary int) int { return (vocabulary + 31) / 32 * 32 }

// shape is the shape that a pretraining's model has for a vocabulary.
func (o *PretrainOptions) shape(vocabulary int) (nn.Spec, error) {
	if o.From.Model == "" {
		s, _, err := o.Model.Spec(embeddingRows(vocabulary))
		return s, err
	}
	m, err := o.From.open()
	if err != nil {
		return nn.Spec{}, err
	}
	defer m.Close()
	s := m.Model.Spec
	s.Vocab = max(s.Vocab, embeddingRows(vocabulary))
	return o.Model.apply(s)
}

// separator is the token between documents: Lian's, or that of the model it starts from.
func (o *PretrainOptions) separator(tok *tokenizer.Tokenizer) (int32, error) {
	if id, ok := tok.Special(Separator); ok {
		return id, nil
	}
	if o.From.Model != "" {
		m, err := o.From.open()
		if err != nil {
			return 0, err
		}
		defer m.Close()
		if m.Tokenizer.Hash() == tok.Hash() {
			return m.Separator, nil
		}
		if id, ok := tok.Special(tokenText(m.Tokenizer, m.Separator)); ok {
			return id, nil
		}
	}
	return 0, fmt.Errorf("%s: the tokenizer has no %s token, which stands between documents; lian tokenizer extend adds it", o.Tokenizer, Separator)
}

// open maps the model that a pretraining starts from, with its tokenizer.
func (o FromOptions) open() (*Opened, error) {
	b, err := Backend()
	if err != nil {
		return nil, err
	}
	return OpenModel(o.Model, b, checkpoint.Options{})
}

// TokenizerFile writes the tokenizer of the model that a pretraining starts from into dir, for data that are not tokens yet; "" without such a model.
func (o FromOptions) TokenizerFile(dir string) (string, error) {
	if o.Model == "" {
		return "", nil
	}
	m, err := o.open()
	if err != nil {
		return "", err
	}
	defer m.Close()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	file := filepath.Join(dir, "tokenizer.json")
	return file, m.Tokenizer.Save(file)
}

// begin makes the model that a pretraining moves: a new one, or another's weights, with the rows of another vocabulary and more of everything where that was asked for.
func (o *PretrainOptions) begin(b compute.Backend, tok *tokenizer.Tokenizer, events event.Sink) (*beginning, error) {
	if o.From.Model != "" {
		return o.goOn(b, tok, events)
	}
	s, f, err := o.Model.Spec(embeddingRows(tok.VocabSize()))
	if err != nil {
		return nil, err
	}
	m, err := nn.InitialiseBy(b, s, o.Train.Seed, nn.Scheme(o.Model.Init), o.Model.Deviation)
	if err != nil {
		return nil, err
	}
	if err := o.fromBaseWidth(b, m); err != nil {
		return nil, err
	}
	template, err := chat.BuiltIn("lian")
	if err != nil {
		return nil, err
	}
	return &beginning{model: m, family: f, template: template, How: "new"}, nil
}

// goOn begins with another model's weights.
func (o *PretrainOptions) goOn(b compute.Backend, tok *tokenizer.Tokenizer, events event.Sink) (*beginning, error) {
	m, err := OpenModel(o.From.Model, b, checkpoint.Options{Float32: true})
	if err != nil {
		return nil, err
	}
	defer m.Close() // float32 weights are in memory of their own
	filed := m.Model.Spec
	start := &beginning{model: m.Model, family: m.Family, config: m.Config, template: m.Template, How: "from " + o.From.Model}
	if m.Tokenizer.Hash() != tok.Hash() {
		kept := 0
		if start.model, kept, err = otherVocabulary(b, m.Model, m.Tokenizer, tok); err != nil {
			return nil, fmt.Errorf("%s: %w", o.From.Model, err)
		}
		start.How += fmt.Sprintf(", %d of %d tokens with their rows, the others with the mean of what their text was", kept, tok.VocabSize())
	}
	s, err := o.Model.apply(start.model.Spec)
	if err != nil {
		return nil, err
	}
	if from := &start.model.Spec; s.Hidden != from.Hidden || s.Layers != from.Layers || s.Attention.Heads != from.Attention.Heads || s.FeedForward.Hidden != from.FeedForward.Hidden {
		start.How += fmt.Sprintf(", grown from %d to %d parameters (%s)", from.Count(), s.Count(), o.From.Grow)
		if start.model, err = nn.Grow(b, start.model, s, o.Train.Seed, nn.Depth(o.From.Grow)); err != nil {
			return nil, fmt.Errorf("%s: %w", o.From.Model, err)
		}
	} else {
		start.model.Spec.Context = s.Context
	}
	if start.model.Spec.Count() != filed.Count() || s.Context != filed.Context { // another shape than its config.json says
		start.config = nil
	}
	events.Emit(chain.KindNote, chain.Note{Text: start.How})
	return start, nil
}

// otherVocabulary gives a model the rows of another tokenizer: tokens of the same bytes keep theirs, another one gets the mean of the rows of the pieces that
// its text was before. kept counts the first kind.
func otherVocabulary(b compute.Backend, m *nn.Decoder, old, tok *tokenizer.Tokenizer) (extended *nn.Decoder, kept int, err error) {
	of := make([][]int32, tok.VocabSize())
	for i, entry := range tok.Vocabulary() {
		if id, ok := old.Special(entry.Text); ok {
			of[i], kept = []int32{id}, kept+1
			continue
		}
		text := string(tok.TokenBytes(int32(i)))
		pieces := old.EncodeWith(text, func(int, int) bool { return false })
		for _, p := range pieces {
			of[i] = append(of[i], p.ID)
		}
		if len(pieces) == 1 {
			kept++
		}
	}
	extended, err = m.Extend(b, 0, of, embeddingRows(tok.VocabSize()))
	return extended, kept, err
}
