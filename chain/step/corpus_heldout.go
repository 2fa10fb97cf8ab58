package step

import (
	"context"
	"math"
	"unicode"

	"lian/compute"
	"lian/engine"
	"lian/format/shard"
	"lian/model"
	"lian/random"
	"lian/tokenizer"
	"lian/train/figure"
)

// HeldOutBytes is how much held-out text final figures are measured on, at most: the same documents for models and for the
// counting models beside them.
const HeldOutBytes = 1 << 20

// heldText is a held-out document with what it is counted under.
type heldText struct {
	engine.Text
	domain, language string
}

// look takes held-out documents of all domains: of each its share of so many tokens, from all over it; at least one.
func (c *corpus) look(tok *tokenizer.Tokenizer, tokens int) ([]heldText, error) {
	return c.held(tok, func(all []heldText) []heldText {
		return drawn(all, tokens/len(c.heldOut), func(t heldText) int { return len(t.IDs) })
	})
}

// final takes the first documents of each domain up to its share of so many bytes of text.
func (c *corpus) final(tok *tokenizer.Tokenizer, bytes int) ([]heldText, error) {
	return c.held(tok, func(all []heldText) []heldText {
		n := 0
		for i, t := range all {
			if n > bytes/len(c.heldOut) {
				return all[:i]
			}
			n += t.Bytes
		}
		return all
	})
}

func (c *corpus) held(tok *tokenizer.Tokenizer, choose func([]heldText) []heldText) (out []heldText, err error) {
	for _, h := range c.heldOut {
		var all []heldText
		for i := range h.texts.Documents() {
			t, err := h.texts.Read(i, 0, h.texts.Length(i))
			if err != nil {
				return nil, err
			}
			bytes := h.texts.TextBytes(i)
			if bytes < 0 {
				bytes = textBytes(tok, t.IDs)
			}
			all = append(all, heldText{engine.Text{IDs: t.IDs, Bytes: int(bytes)}, h.domain, ""})
		}
		for _, t := range choose(all) {
			t.language = script(tok.Decode(t.IDs))
			out = append(out, t)
		}
	}
	return out, nil
}

// script says what a text is written in, by its letters: "zh" where Han characters are the most (a character says as much as a word
// of several letters), "latin", or "other".
func script(text string) string {
	han, latin, other := 0, 0, 0
	for _, r := range text {
		switch {
		case unicode.Is(unicode.Han, r):
			han++
		case unicode.Is(unicode.Latin, r):
			latin++
		case unicode.IsLetter(r):
			other++
		}
	}
	switch {
	case 3*han >= latin+other && han > 0:
		return "zh"
	case latin >= other:
		return "latin"
	}
	return "other"
}

// measure foretells held-out text, all of it and by domain and language, so many tokens at a time.
func measure(ctx context.Context, b compute.Backend, m model.Model, texts []heldText, mark int32, rows int) (all engine.Perplexity, parts []figure.HeldOutDomain, err error) {
	plain := make([]engine.Text, len(texts))
	for i, t := range texts {
		plain[i] = t.Text
	}
	if all, err = engine.MeasureAs(ctx, b, m, plain, mark, engine.Windows{}, engine.Numbers{Precision: model.Exact, Rows: rows}); err != nil {
		return all, nil, err
	}
	return all, byNames(texts, all.PerDocument), nil
}

// byNames adds documents up by domain and by language.
func byNames(texts []heldText, losses []engine.DocumentLoss) (parts []figure.HeldOutDomain) {
	for _, by := range []func(heldText) string{func(t heldText) string { return t.domain }, func(t heldText) string { return "language " + t.language }} { // a domain may be called zh too
		parts = append(parts, byName(texts, losses, by)...)
	}
	return parts
}

// byName adds up documents by a name, in the order of appearance; nothing where all have one name.
func byName(texts []heldText, losses []engine.DocumentLoss, name func(heldText) string) (out []figure.HeldOutDomain) {
	var nats, bytes []float64
	at := map[string]int{}
	for i, t := range texts {
		k, ok := at[name(t)]
		if !ok {
			k = len(out)
			at[name(t)] = k
			out, nats, bytes = append(out, figure.HeldOutDomain{Name: name(t)}), append(nats, 0), append(bytes, 0)
		}
		out[k].Documents++
		nats[k], bytes[k] = nats[k]+losses[i].Nats, bytes[k]+float64(losses[i].Bytes)
	}
	if len(out) < 2 {
		return nil
	}
	for k := range out {
		if bytes[k] > 0 {
			out[k].BitsPerByte = nats[k] / math.Ln2 / bytes[k]
		}
	}
	return out
}

// sampleTexts are documents from all over a shard that together have about so many tokens, at least one.
func sampleTexts(r *shard.Reader, tokens int) []engine.Text {
	all := make([]engine.Text, r.Documents())
	for i := range all {
		all[i] = engine.Text{IDs: r.Document(i), Bytes: int(r.DocumentTextBytes(i))}
	}
	return drawn(all, tokens, func(t engine.Text) int { return len(t.IDs) })
}

// drawn are some of a list in a fixed random order that together have about so many tokens, at least one.
func drawn[T any](all []T, tokens int, length func(T) int) (out []T) {
	n := 0
	for _, i := range random.New(0, "sample of held-out documents").Permutation(len(all)) {
		if l := length(all[i]); len(out) == 0 || n+l <= tokens {
			out = append(out, all[i])
			n += l
		}
	}
	return out
}
