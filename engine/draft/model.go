package draft

import (
	"bytes"
	"fmt"
	"slices"

	"lian/compute"
	"lian/engine/sample"
	"lian/model"
	"lian/tokenizer"
)

// Model guesses with a smaller model, which has a cache of its own for a few texts at a time.
type Model struct {
	backend   compute.Backend
	stream    compute.Stream
	arena     *compute.Arena
	model     model.Model
	cache     *model.Cache
	precision model.Precision
	context   int
	own, its  *tokenizer.Tokenizer // of this model and of the one whose tokens are guessed; equal where tokens need no translation
	free      []int                // places for texts
}

// texts is how many texts a model guesses for at a time: drafts pay in small batches only.
const texts = 4

// blockSize is the positions of a block of the draft's cache.
const blockSize = 32

// chunk is the most rows of a step that reads a prompt.
const chunk = 512

// NewModel makes a drafter of a model for one whose tokens are another tokenizer's. Where a token means the same to both, its ids are
// passed on; else texts are translated, which guesses a little worse.
func NewModel(b compute.Backend, m model.Model, own, its *tokenizer.Tokenizer, context int, precision model.Precision) (*Model, error) {
	info := m.Info()
	if own.VocabSize() > info.Vocab {
		return nil, fmt.Errorf("the draft's tokenizer has %d tokens, its model %d: they are not of one kind", own.VocabSize(), info.Vocab)
	}
	d := &Model{backend: b, stream: b.NewStream(), arena: compute.NewArena(b, 1<<20), model: m, precision: precision, context: min(context, info.Context), own: own, its: its}
	if alike(own, its) {
		d.its = own
	}
	d.cache = model.NewCache(b, info, model.KVAuto.For(precision), blockSize, slices.Repeat([]int{cacheBlocks(d.context)}, len(info.CacheGroups()))...)
	for place := range texts {
		d.free = append(d.free, place)
	}
	return d, nil
}

// cacheBlocks is how many blocks all texts of at most so many tokens take.
func cacheBlocks(context int) int { return texts * ((context + blockSize - 1) / blockSize) }

// CacheBytes is the memory of the cache that NewModel makes.
func CacheBytes(info model.Info, context int, precision model.Precision) (bytes int64) {
	for _, block := range model.BlockBytes(info, model.KVAuto.For(precision), blockSize) {
		bytes += int64(cacheBlocks(min(context, info.Context))) * int64(block)
	}
	return bytes
}

// CacheBytes is the memory of the model's cache.
func (m *Model) CacheBytes() (bytes int64) {
	for l := range m.cache.Keys {
		for _, t := range []*compute.Tensor{m.cache.Keys[l], m.cache.Values[l], m.cache.KeyScales[l], m.cache.ValueScales[l]} {
			if t != nil {
				bytes += int64(t.Bytes())
			}
		}
	}
	return bytes
}

// alike says whether each token that both tokenizers have means the same.
func alike(a, b *tokenizer.Tokenizer) bool {
	for id := range int32(min(a.VocabSize(), b.VocabSize())) {
		if !bytes.Equal(a.TokenBytes(id), b.TokenBytes(id)) {
			return false
		}
	}
	return true
}

// Open begins a text whose tokens are chosen with these parameters; nil where the model has enough of them.
func (m *Model) Open(p sample.Params) *Told {
	if len(m.free) == 0 {
		return nil
	}
	place := m.free[len(m.free)-1]
	m.free = m.free[:len(m.free)-1]
	t := &Told{model: m, place: place}
	blocks := cacheBlocks(m.context) / texts
	for i := range blocks {
		t.blocks = append(t.blocks, int32(place*blocks+i))
	}
	// The draws are those of the text itself, so that they fall on the same token where the two models think alike. Penalties and bans
	// are left to the check.
	t.sampler = func() *sample.Sampler {
		return sample.New(sample.Params{Temperature: p.Temperature, TopK: p.TopK, TopP: p.TopP, MinP: p.MinP, Seed: p.Seed})
	}
	return t
}

// Told is a text that a Model guesses for.
type Told struct {
	model   *Model
	place   int
	blocks  []int32
	sampler func() *sample.Sampler
	ids     []int32 // whose keys are in the cache

	read    int     // tokens of the text that were translated
	own     []int32 // the text in the model's tokens
	guessed []int32 // what was guessed last, in the model's tokens
}

// Close gives the text's place to another.
func (t *Told) Close() {
	t.model.free = append(t.model.free, t.place)
}

// Draft implements Drafter.
func (t *Told) Draft(text []int32, n int) Guess {
	m := t.model
	g := Guess{Class: OfModel}
	if m.own == m.its {
		ids, err := t.guess(text, n, len(text))
		if err == nil {
			g.IDs = ids
		}
		return g
	}
	t.translate(text)
	ids, err := t.guess(t.own, n, len(text))
	if err != nil || len(ids) == 0 {
		return g
	}
	t.guessed = ids
	var said []byte
	for _, id := range ids {
		said = append(said, m.own.TokenBytes(id)...)
	}
	g.IDs = m.its.EncodeAll(string(said))
	g.IDs = g.IDs[:min(n, len(g.IDs))]
	return g
}

// translate appends what is new in the text to own: guessed tokens that came true as they are, so that their keys stay, and the rest
// encoded anew.
func (t *Told) translate(text []int32) {
	var news []byte
	for _, id := range text[t.read:] {
		if int(id) < t.model.its.VocabSize() {
			news = append(news, t.model.its.TokenBytes(id)...)
		}
	}
	t.read = len(text)
	for _, id := range t.guessed {
		rest, ok := bytes.CutPrefix(news, t.model.own.TokenBytes(id))
		if !ok || len(rest) == len(news) {
			break
		}
		t.own, news = append(t.own, id), rest
	}
	t.guessed = nil
	t.own = append(t.own, t.model.own.EncodeAll(string(news))...)
}

// guess lets the model go on from ids, n times; position is that of the first token in the text that is guessed for.
func (t *Told) guess(ids []int32, n, position int) (out []int32, err error) {
	m := t.model
	known := 0
	for known < min(len(t.ids), len(ids)-1) && t.ids[known] == ids[known] {
		known++
	}
	if n = min(n, m.context-len(ids)); n <= 0 || len(ids) == 0 {
		return nil, nil
	}
	t.ids = t.ids[:known]
	sampler, next := t.sampler(), ids[known:]
	for {
		for len(next) > chunk {
			if _, err := t.forward(next[:chunk], false); err != nil {
				return nil, err
			}
			next = next[chunk:]
		}
		row, err := t.forward(next, true)
		if err != nil {
			return nil, err
		}
		id := sampler.Next(row[:m.own.VocabSize()], position+len(out))
		if id < 0 || m.own == m.its && int(id) >= m.its.VocabSize() {
			return out, nil
		}
		if out = append(out, id); len(out) == n {
			return out, nil
		}
		next = out[len(out)-1:]
	}
}

// forward computes ids after those whose keys are there, and the last one's logits if they are wanted.
func (t *Told) forward(ids []int32, logits bool) ([]float32, error) {
	m := t.model
	m.arena.Reset()
	batch := &model.Batch{}
	batch.Add(ids, len(t.ids), m.cache.Alike(t.blocks))
	pass := &model.Pass{Stream: m.stream, Arena: m.arena, Cache: m.cache, Precision: m.precision}
	hidden, err := m.model.Forward(pass, batch)
	if err != nil {
		return nil, err
	}
	t.ids = append(t.ids, ids...)
	if !logits {
		return nil, m.stream.Err()
	}
	row := make([]float32, m.model.Info().Vocab)
	return row, m.stream.Read(model.Logits(pass, m.model, hidden, []int32{int32(len(ids) - 1)}), compute.HostBytes(row))
}
