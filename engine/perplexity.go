package engine

import (
	"context"
	"math"

	"lian/compute"
	"lian/model"
)

// Perplexity is how well a model foretells text.
type Perplexity struct {
	Documents int     `json:"documents"`
	Tokens    int     `json:"tokens"`
	Bytes     int     `json:"bytes"`
	Nats      float64 `json:"nats"`
	// PerDocument are nats and bytes of each document, for intervals and paired tests.
	PerDocument []DocumentLoss `json:"-"`
}

// DocumentLoss is one document's part.
type DocumentLoss struct {
	Nats  float64
	Bytes int
}

// BitsPerByte is the measure that does not depend on the tokenizer.
func (p Perplexity) BitsPerByte() float64 {
	if p.Bytes == 0 {
		return math.NaN()
	}
	return p.Nats / math.Ln2 / float64(p.Bytes)
}

// PerToken is the usual perplexity: e to the mean loss of a token.
func (p Perplexity) PerToken() float64 { return math.Exp(p.Nats / float64(p.Tokens)) }

// Text is a document to be foretold.
type Text struct {
	IDs   []int32
	Bytes int
}

// Measure foretells each text after separator and asks for separator at its end, as pretraining does. A text longer than the
// context is cut into windows that do not see each other; every token is asked once.
func Measure(ctx context.Context, b compute.Backend, m model.Model, texts []Text, separator int32, precision model.Precision) (Perplexity, error) {
	return MeasureAs(ctx, b, m, texts, separator, Windows{}, Numbers{Precision: precision})
}

// MeasureAs is Measure with windows of one's own, which may overlap, and with keys and values of a chosen type.
func MeasureAs(ctx context.Context, b compute.Backend, m model.Model, texts []Text, separator int32, w Windows, as Numbers) (Perplexity, error) {
	ids := make([][]int32, len(texts))
	for i, t := range texts {
		ids[i] = append(append([]int32{separator}, t.IDs...), separator)
	}
	scored, err := ScoreWindows(ctx, b, m, ids, w, as)
	if err != nil {
		return Perplexity{}, err
	}
	p := Perplexity{Documents: len(texts), PerDocument: make([]DocumentLoss, len(texts))}
	for i, s := range scored {
		p.PerDocument[i] = DocumentLoss{Nats: -s.Sum, Bytes: texts[i].Bytes}
		p.Bytes += texts[i].Bytes
		p.Tokens += len(s.LogProbs)
		p.Nats -= s.Sum
	}
	return p, nil
}
