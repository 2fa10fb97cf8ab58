package engine

import "fmt"

// Windows says how texts are cut that are measured: the tokens computed at once, and which of them are asked for.
type Windows struct {
	// Window is the most tokens that are asked for after one forward; 0 is the model's context.
	Window int `yaml:"window" help:"most tokens computed at once of a long text; 0 is the model's context" default:"0" range:"0..10000000"`
	// Stride is how far a window's start is from the one before; 0 is Window: windows see nothing of each other. With less, a token
	// has at least Window − Stride tokens before it, and every token is still asked for once.
	Stride int `yaml:"stride" help:"tokens from a window's start to the next, less than --window lets windows overlap; 0 is the window" default:"0" range:"0..10000000"`
	// Chunk measures as llama.cpp's llama-perplexity does instead: in whole chunks of so many tokens, of which those of the second
	// half are asked for. What is left over at a text's end is not measured.
	Chunk int `yaml:"chunk" help:"measure as llama-perplexity does, in chunks of so many tokens of which the second half counts; 0 measures whole documents" default:"0" range:"0..10000000"`
}

// Span is a part of a text: ids[From:To] are computed, of which ids[Start:To] are asked for.
type Span struct{ From, Start, To int }

// Check says which setting does not fit a model of this context.
func (w Windows) Check(context int) error {
	switch {
	case w.Window < 0 || w.Window > context:
		return fmt.Errorf("window is %d, expected 0 to %d, the model's context", w.Window, context)
	case w.Stride < 0 || w.Stride > w.length(context):
		return fmt.Errorf("stride is %d, expected 0 to %d, the window", w.Stride, w.length(context))
	case w.Chunk != 0 && (w.Chunk < 4 || w.Chunk > context):
		return fmt.Errorf("chunk is %d, expected 4 to %d, the model's context", w.Chunk, context)
	case w.Chunk != 0 && (w.Window != 0 || w.Stride != 0):
		return fmt.Errorf("chunk is %d beside window %d and stride %d: they are two ways to cut a text, use one", w.Chunk, w.Window, w.Stride)
	}
	return nil
}

func (w Windows) length(context int) int {
	if w.Window > 0 {
		return w.Window
	}
	return context
}

// Spans cuts a text of n tokens for a model of this context. Nothing stands before the first token, so it is never asked for.
func (w Windows) Spans(n, context int) (spans []Span) {
	if w.Chunk > 0 {
		for from := 0; from+w.Chunk <= n; from += w.Chunk {
			spans = append(spans, Span{from, from + w.Chunk/2 + 1, from + w.Chunk})
		}
		return spans
	}
	window := w.length(context)
	stride := window
	if w.Stride > 0 {
		stride = w.Stride
	}
	for from, start := 0, 1; start < n; from += stride {
		to := min(from+window+1, n) // the last is asked for and not computed
		spans = append(spans, Span{from, start, to})
		start = to
	}
	return spans
}
