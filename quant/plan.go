package quant

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"lian/dtype"
	"lian/format"
)

// Model is what a mix must know of the model.
type Model struct {
	Architecture string // GGUF's name of it
	Layers       int
	Heads        int // query heads of the first layer
	KeyHeads     int // key heads of the first layer
	Experts      int // 0 where there are none
}

// gqa is the number of query heads that share a key head.
func (m Model) gqa() int {
	if m.KeyHeads == 0 {
		return 0
	}
	return m.Heads / m.KeyHeads
}

// large says whether llama.cpp calls the model one of 70B.
func (m Model) large() bool {
	return mixes.Large[m.Architecture] == m.Layers && m.Layers > 0 && (m.Architecture != "llama" || m.Heads != m.KeyHeads)
}

// Override gives the tensors that a pattern finds in their GGUF names another type.
type Override struct {
	Pattern *regexp.Regexp
	Type    dtype.Type
}

// ParseOverride reads NAME=TYPE, where NAME is a regular expression that is looked for in tensors' names.
func ParseOverride(text string) (Override, error) {
	name, typ, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return Override{}, fmt.Errorf("%q: expected NAME=TYPE, such as ffn_down=q6_k", text)
	}
	pattern, err := regexp.Compile(strings.ToLower(name))
	if err != nil {
		return Override{}, fmt.Errorf("%q: %w", text, err)
	}
	t, err := weightType(typ)
	return Override{pattern, t}, err
}

// weightType reads the name of a type that weights can be stored in.
func weightType(name string) (dtype.Type, error) {
	t, err := dtype.Parse(name)
	known := append([]dtype.Type{dtype.F32, dtype.F16, dtype.BF16}, PackedTypes()...)
	if err != nil || !slices.Contains(known, t) {
		return t, fmt.Errorf("%q: weights are not stored so; known are %s", name, strings.Trim(fmt.Sprint(known), "[]"))
	}
	return t, nil
}

// Settings say how a plan departs from its mix.
type Settings struct {
	Pure      bool // every matrix gets the main type
	Imatrix   bool // there is an importance matrix
	Overrides []Override
	// Head and Embedding are the types of output projection and embedding, Invalid for the mix's.
	Head, Embedding dtype.Type
	// Given are types chosen tensor by tensor, before the mix is asked.
	Given map[string]dtype.Type
}

// Reasons of a choice.
const (
	Kept  = "small and sensitive, kept as it is"
	Asked = "asked for"
)

// Choice is what one tensor becomes. Reason says why it is not the mix's main type; it is empty where it is.
type Choice struct {
	Name     string
	Shape    []int
	From, To dtype.Type
	Reason   string
	FellBack bool // the tensor could not have the type meant for it
	// NeedsImatrix: the type is useless without an importance matrix, and this tensor is none of those that may go without.
	NeedsImatrix bool
}

// Bytes is the size after.
func (c Choice) Bytes() int64 {
	n, _ := dtype.TensorBytes(c.To, c.Shape)
	return int64(n)
}

// planner counts tensors of a part as they come by, as llama-quantize does: its rules speak of the third such tensor, not of layer 3.
type planner struct {
	mix    Mix
	model  Model
	set    Settings
	tied   bool
	seen   map[string]int
	values int // tensors like attn_v
}

// Plan chooses the type of each tensor. The choices come in Order, which the rules depend on.
func (m Mix) Plan(tensors []format.Info, model Model, s Settings) []Choice {
	tensors = slices.Clone(tensors)
	slices.SortStableFunc(tensors, func(a, b format.Info) int { return Order(a.Name, b.Name) })
	p := planner{mix: m, model: model, set: s, tied: true, seen: map[string]int{}}
	for _, t := range tensors {
		switch part(t.Name) {
		case "head":
			p.tied = false
		case "attn_v":
			p.values++
		}
	}
	choices := make([]Choice, len(tensors))
	for i, t := range tensors {
		choices[i] = p.choose(t)
	}
	return choices
}

func (p *planner) choose(t format.Info) Choice {
	c := Choice{Name: t.Name, Shape: t.Shape, From: t.Type, To: t.Type}
	if kept(t.Name, t.Shape) {
		c.Reason = Kept
		return c
	}
	c.To, c.Reason = p.meant(t)
	if fit, reason := Fit(c.To, t.Shape[len(t.Shape)-1]); reason != "" {
		c.To, c.Reason, c.FellBack = fit, reason, true
	}
	what := part(t.Name)
	c.NeedsImatrix = what != "head" && what != "embedding" && (slices.Contains(mixes.NeedsImatrix, Type{c.To}) || slices.Contains(p.mix.NeedsImatrix, Type{c.To}))
	return c
}

// meant is the type that a tensor should have, and why.
func (p *planner) meant(t format.Info) (dtype.Type, string) {
	what, mine := part(t.Name), p.mix.Main.Type
	switch {
	case what == "embedding" && p.set.Embedding != dtype.Invalid:
		return p.set.Embedding, Asked
	case what == "head" && p.set.Head != dtype.Invalid:
		return p.set.Head, Asked
	}
	for _, o := range p.set.Overrides {
		if o.Pattern.MatchString(t.Name) {
			return o.Type, Asked
		}
	}
	if given, ok := p.set.Given[t.Name]; ok {
		return given, "chosen for this tensor"
	}
	if p.set.Pure || !mine.Quantized() {
		return mine, ""
	}
	got := p.ruled(t, what)
	if got == mine {
		return got, ""
	}
	return got, fmt.Sprintf("%s puts it so", p.mix.Name)
}

// ruled is what the mix says of a tensor.
func (p *planner) ruled(t format.Info, what string) dtype.Type {
	mine := p.mix.Main.Type
	if what == "head" || what == "embedding" && p.tied {
		switch {
		case p.set.Head != dtype.Invalid:
			return p.set.Head
		case p.model.Architecture == "falcon" || t.Shape[len(t.Shape)-1]%mine.BlockSize() != 0:
			return dtype.Q8_0
		case p.mix.Head.Valid():
			return p.mix.Head.Type
		}
		return dtype.Q6_K
	}
	if what == "embedding" {
		if p.mix.Embedding.Valid() {
			return p.mix.Embedding.Type
		}
		return mine
	}
	layer, layers := p.seen[what], p.model.Layers
	p.seen[what]++
	if what == "attn_v" {
		layers = p.values
	} else if p.model.Experts > 1 && !(p.mix.Alone && what == "ffn_down") { // experts may be stored apart, so that counting says nothing
		layer = layerOf(t.Name)
	}
	got := mine
	if r := p.find(t, what, layer, layers); r != nil {
		got = r.Type.Type
	}
	if what == "attn_v" && !p.mix.Alone && p.model.large() && (got == dtype.Q3_K || got == dtype.Q4_K) {
		return dtype.Q5_K
	}
	return got
}

// find is the first rule that speaks of a tensor.
func (p *planner) find(t format.Info, what string, layer, layers int) *rule {
	lists := [][]rule{mixes.Common, p.mix.Rules}
	if p.mix.Alone {
		lists = lists[1:]
	}
	for _, list := range lists {
		for i := range list {
			r := &list[i]
			if (r.Part == "" || r.Part == what) && r.speaksOf(layer, layers) && p.model.gqa() >= r.GQA &&
				(r.Experts == 0 || r.Experts == p.model.Experts) && p.model.Experts >= r.ExpertsFrom &&
				(!r.Stacked || len(t.Shape) > 2 && t.Shape[len(t.Shape)-3] > 1) &&
				(r.Falcon == nil || *r.Falcon == (p.model.Architecture == "falcon")) && (r.Imatrix == nil || *r.Imatrix == p.set.Imatrix) {
				return r
			}
		}
	}
	return nil
}

// FileType is llama.cpp's number for a file of these choices: that of the plainest mix whose main type most values have.
func FileType(choices []Choice) uint32 {
	values := map[dtype.Type]int64{}
	most := dtype.F32
	for _, c := range choices {
		n, _ := dtype.Elements(c.Shape)
		if values[c.To] += int64(n); values[c.To] > values[most] {
			most = c.To
		}
	}
	for _, m := range mixes.Mixes {
		if m.Main.Type == most {
			return m.FileType
		}
	}
	return 0
}
