package tokenizer

// Splitter cuts text into the pieces that merges never cross. It is safe for
// concurrent use.
type Splitter struct{ stages []stage }

// NewSplitter prepares the steps, or says which cannot be used.
func NewSplitter(steps []Step) (*Splitter, error) {
	stages, err := compile(steps)
	if err != nil {
		return nil, err
	}
	return &Splitter{stages}, nil
}

// Split calls yield with each piece of text in order. A step with PrefixSpace puts a
// space before the text, so the pieces may be one byte longer than the text.
func (s *Splitter) Split(text string, yield func(piece string)) { s.split(text, 0, yield) }

func (s *Splitter) split(text string, depth int, yield func(string)) {
	if depth == len(s.stages) {
		if text != "" {
			yield(text)
		}
		return
	}
	g := &s.stages[depth]
	if g.prefixSpace && text != "" && text[0] != ' ' {
		text = " " + text
	}
	if depth == len(s.stages)-1 && g.scan != nil {
		for i := 0; i < len(text); {
			end := g.scan(text, i)
			yield(text[i:end])
			i = end
		}
		return
	}
	i := 0
	for _, end := range g.ends(nil, text) {
		s.split(text[i:end], depth+1, yield)
		i = end
	}
}
