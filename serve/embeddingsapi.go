package serve

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"reflect"

	"lian/engine"
)

// embeddingRequest is OpenAI's, with pooling and normalize as additions.
type embeddingRequest struct {
	Model          string         `json:"model"`
	Input          inputs         `json:"input"`
	EncodingFormat string         `json:"encoding_format"` // float or base64, which is float32 in little-endian order
	Dimensions     *int           `json:"dimensions"`
	Pooling        engine.Pooling `json:"pooling"`   // "" is what the model's files say, else the mean
	Normalize      *bool          `json:"normalize"` // true unless said
}

// inputs are texts or ids, as prompts are.
type inputs struct{ prompts }

func (i *inputs) UnmarshalJSON(data []byte) error {
	if i.prompts.UnmarshalJSON(data) != nil {
		return errors.New("input: expected a text, a list of texts, a list of token ids, or a list of such lists")
	}
	return nil
}

// rerankRequest is Jina's and Cohere's, with instruction and method as additions.
type rerankRequest struct {
	Model           string         `json:"model"`
	Query           string         `json:"query"`
	Documents       []document     `json:"documents"`
	TopN            *int           `json:"top_n"`
	ReturnDocuments *bool          `json:"return_documents"` // true unless said
	Instruction     string         `json:"instruction"`
	Method          RankMethod     `json:"method"`
	Pooling         engine.Pooling `json:"pooling"`
}

// document is a text, alone or as an object.
type document struct {
	Text string `json:"text"`
}

func (d *document) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &d.Text) == nil {
		return nil
	}
	var o struct{ Text *string }
	if err := json.Unmarshal(data, &o); err != nil || o.Text == nil {
		return fmt.Errorf(`documents: expected texts or objects with "text"`)
	}
	d.Text = *o.Text
	return nil
}

// mostInputs is how many texts a request may bring.
const mostInputs = 2048

var (
	embeddingKnown   = fieldNames(reflect.TypeFor[embeddingRequest]())
	embeddingRefused = map[string]string{"truncate_prompt_tokens": "nothing is cut in silence; send less", "input_type": "", "user": ""}
	rerankKnown      = fieldNames(reflect.TypeFor[rerankRequest]())
	rerankRefused    = map[string]string{"truncate_prompt_tokens": "nothing is cut in silence; send less", "max_tokens_per_doc": "nothing is cut in silence; send less",
		"max_chunks_per_doc": "documents are not cut in chunks", "rank_fields": "join the fields to one text", "user": ""}
)

// embedderOf is what gives vectors of a model, nil if it cannot.
func embedderOf(m Generator) Embedder {
	switch g := m.(type) {
	case interface{ embedder() Embedder }:
		return g.embedder()
	case Embedder:
		return g
	}
	return nil
}

// embedder is the model that a request names.
func (s *Server) embedder(name string) (Generator, Embedder, error) {
	m, err := s.model(name)
	if err != nil {
		return nil, nil, err
	}
	e := embedderOf(m)
	if e == nil {
		return nil, nil, invalid("model", "%s gives no vectors", m.Info().ID)
	}
	return m, e, nil
}

// embeddings is POST /v1/embeddings.
func (s *Server) embeddings(w http.ResponseWriter, r *http.Request) error {
	var q embeddingRequest
	ignored, err := s.decode(w, r, &q, embeddingKnown, embeddingRefused)
	if err != nil {
		return err
	}
	s.noteIgnored(w, ignored)
	m, e, err := s.embedder(q.Model)
	if err != nil {
		return err
	}
	if q.EncodingFormat != "" && q.EncodingFormat != "float" && q.EncodingFormat != "base64" {
		return invalid("encoding_format", `encoding_format is %q, expected "float" or "base64"`, q.EncodingFormat)
	}
	texts := q.Input.ids
	for _, text := range q.Input.texts {
		texts = append(texts, e.EncodeText(text))
	}
	if len(texts) == 0 || len(texts) > mostInputs {
		return invalid("input", "input has %d texts, expected 1 to %d", len(texts), mostInputs)
	}
	tokens := 0
	for i, ids := range texts {
		if len(ids) == 0 {
			return invalid("input", "input[%d] is empty", i)
		}
		if most := m.Info().Context; len(ids) > most {
			return engineError(fmt.Errorf("%w: input[%d] has %d tokens > %d", engine.ErrContext, i, len(ids), most))
		}
		tokens += len(ids)
	}
	o := engine.Embedding{Pooling: poolingOf(q.Pooling, e), Normalize: q.Normalize == nil || *q.Normalize}
	if q.Dimensions != nil {
		if o.Dimensions = *q.Dimensions; o.Dimensions < 1 {
			return invalid("dimensions", "dimensions is %d, expected 1 or more", o.Dimensions)
		}
	}
	vectors, err := e.Embed(r.Context(), texts, o)
	if err != nil {
		return engineError(err)
	}
	s.metrics.prompt.Add(int64(tokens))
	type item struct {
		Object    string `json:"object"`
		Index     int    `json:"index"`
		Embedding any    `json:"embedding"`
	}
	data := make([]item, len(vectors))
	for i, v := range vectors {
		data[i] = item{"embedding", i, v}
		if q.EncodingFormat == "base64" {
			data[i].Embedding = packed(v)
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "model": m.Info().ID, "data": data, "usage": map[string]int{"prompt_tokens": tokens, "total_tokens": tokens}})
	return nil
}

// poolingOf is the pooling asked for, or what the model's files say, or the mean.
func poolingOf(asked engine.Pooling, e Embedder) engine.Pooling {
	for _, p := range []engine.Pooling{asked, e.Pooling()} {
		if p != "" {
			return p
		}
	}
	return engine.PoolMean
}

// packed is a vector as base64 of float32 in little-endian order.
func packed(v []float32) string {
	raw := make([]byte, 0, 4*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// rerank is POST /v1/rerank.
func (s *Server) rerank(w http.ResponseWriter, r *http.Request) error {
	var q rerankRequest
	ignored, err := s.decode(w, r, &q, rerankKnown, rerankRefused)
	if err != nil {
		return err
	}
	s.noteIgnored(w, ignored)
	m, e, err := s.embedder(q.Model)
	if err != nil {
		return err
	}
	switch {
	case q.Query == "":
		return invalid("query", "query is missing or empty")
	case len(q.Documents) == 0 || len(q.Documents) > mostInputs:
		return invalid("documents", "documents has %d texts, expected 1 to %d", len(q.Documents), mostInputs)
	case q.TopN != nil && *q.TopN < 1:
		return invalid("top_n", "top_n is %d, expected 1 or more", *q.TopN)
	case q.Method != "" && q.Method != RankByJudgement && q.Method != RankByEmbedding:
		return invalid("method", "method is %q, expected %q or %q", q.Method, RankByJudgement, RankByEmbedding)
	}
	ranking := Ranking{Query: q.Query, Instruction: q.Instruction, Method: q.Method, Embedding: engine.Embedding{Pooling: poolingOf(q.Pooling, e)}}
	for i, d := range q.Documents {
		if d.Text == "" {
			return invalid("documents", "documents[%d] is empty", i)
		}
		ranking.Documents = append(ranking.Documents, d.Text)
	}
	ranked, err := e.Rerank(r.Context(), &ranking)
	if err != nil {
		return engineError(err)
	}
	s.metrics.prompt.Add(int64(ranking.Tokens))
	if q.TopN != nil {
		ranked = ranked[:min(*q.TopN, len(ranked))]
	}
	type result struct {
		Index    int       `json:"index"`
		Score    float64   `json:"relevance_score"`
		Document *document `json:"document,omitempty"`
	}
	results := make([]result, len(ranked))
	for i, one := range ranked {
		results[i] = result{Index: one.Index, Score: one.Score}
		if q.ReturnDocuments == nil || *q.ReturnDocuments {
			results[i].Document = &q.Documents[one.Index]
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"id": identifier("rerank-"), "object": "list", "model": m.Info().ID, "method": ranking.Method, "results": results,
		"usage": map[string]int{"prompt_tokens": ranking.Tokens, "total_tokens": ranking.Tokens}})
	return nil
}
