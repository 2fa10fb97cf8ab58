package internevo

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"lian/format"
	"lian/format/parallel"
)

// How ranks hold a tensor, by the last part of its module's name. Columns of a
// matrix multiply what comes in, rows make what goes out, so a column-parallel layer
// is cut along dimension 0 and a row-parallel one along 1, where its bias is whole.
const (
	columnParallel = iota + 1
	rowParallel
	thirds    // column-parallel q, k and v of a rank's heads, one after another
	whole     // norms, gates
	embedding // along the hidden size, or along the vocabulary, as its shape shows
)

// modules of InternLM 1 ("blocks.N.mlp.w3" goes out) and of 2 and later
// ("layers.N.feed_forward.w2" goes out).
var modules = []struct {
	pattern *regexp.Regexp
	how     int
}{
	{regexp.MustCompile(`\.mixer\.Wqkv$`), thirds},
	{regexp.MustCompile(`\.mixer\.out_proj$`), rowParallel},
	{regexp.MustCompile(`\.mlp\.(w1|w2)$`), columnParallel},
	{regexp.MustCompile(`\.mlp\.w3$`), rowParallel},
	{regexp.MustCompile(`\.attention\.(wqkv|wq|wk|wv)$`), columnParallel},
	{regexp.MustCompile(`\.attention\.wo$`), rowParallel},
	{regexp.MustCompile(`\.feed_forward\.(w1|w3)$`), columnParallel},
	{regexp.MustCompile(`\.feed_forward\.w2$`), rowParallel},
	{regexp.MustCompile(`(^|\.)(head|output)$`), columnParallel},
	{regexp.MustCompile(`(^|\.)(embedding|tok_embeddings)(\.word_embeddings)?$`), embedding},
	{regexp.MustCompile(`(^|\.)(norm|norm1|norm2|attention_norm|ffn_norm|q_norm|k_norm)$`), whole},
	{regexp.MustCompile(`\.rotary_emb$`), whole},
}

// rule says how the parts of a tensor belong together. width is the model's hidden
// size, 0 where the stage does not show it.
func (f *Folder) rule(name string, parts []format.Info, width int) (parallel.Rule, error) {
	module, last, ok := cutLast(name)
	if !ok {
		return parallel.Rule{}, errors.New("a name without a module")
	}
	shape := parts[0].Shape
	for _, m := range modules {
		if !m.pattern.MatchString(module) {
			continue
		}
		switch {
		case m.how == whole, m.how == rowParallel && last == "bias" && !f.Weight:
			return parallel.Rule{Whole: true}, nil
		case m.how == embedding:
			return embeddingRule(shape, width, len(parts))
		case f.Weight: // matrices for either direction are cut along their rows
			return parallel.Rule{Axis: 0}, nil
		case m.how == rowParallel:
			return parallel.Rule{Axis: 1}, nil
		case m.how == thirds:
			return parallel.Rule{Axis: 0, Blocks: 3}, nil
		}
		return parallel.Rule{Axis: 0}, nil
	}
	return parallel.Rule{}, fmt.Errorf("not a name of InternLM 1, 2 or 3, so that how its %d parts of shape %v belong together is not known", len(parts), shape)
}

// embeddingRule tells how an embedding [vocabulary, hidden] is cut from its columns.
func embeddingRule(shape []int, width, ranks int) (parallel.Rule, error) {
	switch {
	case len(shape) != 2 || width == 0:
		return parallel.Rule{}, fmt.Errorf("an embedding of shape %v in a stage without a norm that would show the hidden size", shape)
	case shape[1]*ranks == width: // embed_split_hidden, the default
		return parallel.Rule{Axis: 1}, nil
	case shape[1] == width:
		return parallel.Rule{Axis: 0}, nil
	}
	return parallel.Rule{}, fmt.Errorf("%d parts of an embedding of shape %v do not make the hidden size %d", ranks, shape, width)
}

// widthOf returns the hidden size, which every norm shows whole.
func widthOf(r format.Reader) int {
	for _, name := range r.Names() {
		module, last, _ := cutLast(name)
		if last == "weight" && (strings.HasSuffix(module, ".norm1") || strings.HasSuffix(module, ".attention_norm") || module == "norm" || strings.HasSuffix(module, ".norm")) {
			if info, _ := r.Info(name); len(info.Shape) == 1 {
				return info.Shape[0]
			}
		}
	}
	return 0
}

func cutLast(name string) (before, last string, ok bool) {
	at := strings.LastIndexByte(name, '.')
	if at < 0 {
		return "", name, false
	}
	return name[:at], name[at+1:], true
}

// layerNumber finds a layer's number in a name.
var layerNumber = regexp.MustCompile(`^(.*?\b(?:layers|blocks)\.)(\d{1,6})(\..*)$`)

// layersOf counts the layers of each stage, which numbers its own from 0.
func layersOf(stages []format.Reader) ([]int, error) {
	counts := make([]int, len(stages))
	for i, s := range stages {
		seen := map[int]bool{}
		for _, name := range s.Names() {
			if m := layerNumber.FindStringSubmatch(name); m != nil {
				n, _ := strconv.Atoi(m[2])
				seen[n] = true
				counts[i] = max(counts[i], n+1)
			}
		}
		if len(seen) != counts[i] {
			return nil, fmt.Errorf("stage %d has %d layers with numbers up to %d; a stage numbers its own from 0", i, len(seen), counts[i]-1)
		}
	}
	return counts, nil
}

// wholeName is a stage's tensor's name in the whole model: without the wrapper's
// "model.", with the layers of the stages before counted in. Tables of rotary
// frequencies, which early versions saved, are left out.
func wholeName(counts []int, stage int, name string) (string, error) {
	if strings.HasSuffix(name, ".inv_freq") {
		return "", nil
	}
	name = strings.TrimPrefix(name, "model.")
	m := layerNumber.FindStringSubmatch(name)
	if m == nil {
		return name, nil
	}
	n, err := strconv.Atoi(m[2])
	for _, c := range counts[:stage] {
		n += c
	}
	return m[1] + strconv.Itoa(n) + m[3], err
}
