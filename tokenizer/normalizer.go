package tokenizer

// Normalizer changes text as a tokenizer does before it splits it. It is safe for
// concurrent use.
type Normalizer struct{ steps []normalizer }

// NewNormalizer prepares the steps, or says which cannot be used. User-defined tokens
// of a vocabulary, which SentencePiece's normaliser leaves alone, are not known to it.
func NewNormalizer(steps []Normalization) (*Normalizer, error) {
	compiled, err := compileNormalizations(steps, &Definition{})
	if err != nil {
		return nil, err
	}
	return &Normalizer{compiled}, nil
}

// Normalize gives the new form of a text.
func (n *Normalizer) Normalize(text string) string {
	p := passage{s: text}
	for _, f := range n.steps {
		f(&p)
	}
	return p.s
}
