package serve

import (
	"context"
	"fmt"

	"lian/chat"
	"lian/engine"
)

// Embedder is a generator that gives vectors of texts and orders documents; one of NewGenerator is.
type Embedder interface {
	// EncodeText gives the ids of a text with those that the model expects before and after it.
	EncodeText(text string) []int32
	// Pooling is how the model's files say that rows become a vector, "" where they say nothing.
	Pooling() engine.Pooling
	Embed(ctx context.Context, texts [][]int32, o engine.Embedding) ([][]float32, error)
	Rerank(ctx context.Context, r *Ranking) ([]engine.Ranked, error)
}

// Ranking is a question to documents.
type Ranking struct {
	Query       string
	Documents   []string
	Instruction string     // what makes a document fit, for RankByJudgement
	Method      RankMethod // "" becomes RankByJudgement for a model that chats, else RankByEmbedding
	Embedding   engine.Embedding
	Progress    func(done int) // hears of how many documents were looked at; may be nil
	Tokens      int            // becomes the number of all prompts' tokens
}

// RankMethod is how documents are compared with a question.
type RankMethod string

// The methods. By judgement the model is asked whether a document answers the query, and the score is p(yes) / (p(yes) + p(no)); by
// embedding it is the cosine of the vectors.
const (
	RankByJudgement RankMethod = "judgement"
	RankByEmbedding RankMethod = "embedding"
)

// EncodeText implements Embedder.
func (g *engineGenerator) EncodeText(text string) []int32 {
	before, after := g.engine.Tokenizer.Around()
	ids := append([]int32{}, before...)
	return append(append(ids, g.engine.Tokenizer.Encode(text)...), after...)
}

// Pooling implements Embedder.
func (g *engineGenerator) Pooling() engine.Pooling { return g.info.Pooling }

// Embed implements Embedder.
func (g *engineGenerator) Embed(ctx context.Context, texts [][]int32, o engine.Embedding) ([][]float32, error) {
	return g.engine.Embed(ctx, texts, o)
}

// Rerank implements Embedder.
func (g *engineGenerator) Rerank(ctx context.Context, r *Ranking) ([]engine.Ranked, error) {
	if r.Method == "" {
		r.Method = RankByEmbedding
		if g.template != nil {
			r.Method = RankByJudgement
		}
	}
	if r.Method == RankByEmbedding {
		question, documents := g.EncodeText(r.Query), make([][]int32, len(r.Documents))
		r.Tokens = len(question)
		for i, text := range r.Documents {
			documents[i] = g.EncodeText(text)
			r.Tokens += len(documents[i])
		}
		return g.engine.RerankByEmbedding(ctx, question, documents, r.Embedding)
	}
	yes, no, err := g.yesNo()
	if err != nil {
		return nil, err
	}
	prompts := make([][]int32, len(r.Documents))
	for i, text := range r.Documents {
		if prompts[i], err = g.judgement(r.Instruction, r.Query, text); err != nil {
			return nil, fmt.Errorf("document %d: %w", i, err)
		}
		r.Tokens += len(prompts[i])
		if len(prompts[i]) > g.info.Context {
			return nil, fmt.Errorf("document %d: %w: with the question %d tokens > %d", i, engine.ErrContext, len(prompts[i]), g.info.Context)
		}
	}
	return g.engine.Rerank(ctx, prompts, engine.Judgement{Yes: yes, No: no, Adapter: r.Embedding.Adapter, Progress: r.Progress})
}

// judgement is the prompt that asks whether a document answers a query. Where a model thinks first, the thought is over already.
func (g *engineGenerator) judgement(instruction, query, document string) ([]int32, error) {
	messages := chat.JudgeMessages(instruction, query, document)
	o := chat.Options{AddGenerationPrompt: true, Extra: map[string]any{"enable_thinking": false}}
	e, err := chat.Encode(g.engine.Tokenizer, g.template, messages, o)
	if err != nil {
		return nil, err
	}
	if open, shut := g.Dialect().Thought(); open != "" && g.Dialect().Primed(e.Text) == open {
		return append(e.IDs, g.engine.Tokenizer.EncodeAll("\n"+shut+"\n\n")...), nil
	}
	return e.IDs, nil
}

// yesNo are the tokens of the two answers.
func (g *engineGenerator) yesNo() (yes, no int32, err error) {
	if g.template == nil {
		return 0, 0, fmt.Errorf("%s has no chat template and cannot be asked; rank by embedding", g.info.ID)
	}
	y, n := g.Encode("yes"), g.Encode("no")
	if len(y) == 0 || len(n) == 0 || y[0] == n[0] {
		return 0, 0, fmt.Errorf("%s has no tokens that tell yes from no; rank by embedding", g.info.ID)
	}
	return y[0], n[0], nil
}
