package quant

import (
	"fmt"
	"strconv"
	"strings"

	"lian/dtype"
)

// Recipe is a mix of types under one name. Source: llama.cpp
// src/llama-quant.cpp, llama_tensor_get_type.
type Recipe struct {
	Name string
	// Main is what most matrices get.
	Main dtype.Type
	// Head is what the output projection gets, or the embedding where it is tied
	// to the output: its errors go straight into the logits.
	Head dtype.Type
	// More is what attn_v and ffn_down get in every third layer and in the first
	// and last eighth; Main where a mix makes no difference.
	More dtype.Type
}

// Recipes are the mixes that Parse knows.
var Recipes = []Recipe{
	{"f32", dtype.F32, dtype.F32, dtype.F32},
	{"f16", dtype.F16, dtype.F16, dtype.F16},
	{"bf16", dtype.BF16, dtype.BF16, dtype.BF16},
	{"q8_0", dtype.Q8_0, dtype.Q8_0, dtype.Q8_0},
	{"q6_k", dtype.Q6_K, dtype.Q6_K, dtype.Q6_K},
	{"q5_k_m", dtype.Q5_K, dtype.Q6_K, dtype.Q6_K},
	{"q5_1", dtype.Q5_1, dtype.Q6_K, dtype.Q5_1},
	{"q5_0", dtype.Q5_0, dtype.Q6_K, dtype.Q5_0},
	{"q4_k_m", dtype.Q4_K, dtype.Q6_K, dtype.Q6_K},
	{"q4_1", dtype.Q4_1, dtype.Q6_K, dtype.Q4_1},
	{"q4_0", dtype.Q4_0, dtype.Q6_K, dtype.Q4_0},
}

// Parse returns the recipe of that name, in any case.
func Parse(name string) (Recipe, error) {
	known := make([]string, len(Recipes))
	for i, r := range Recipes {
		if strings.EqualFold(r.Name, name) {
			return r, nil
		}
		known[i] = r.Name
	}
	return Recipe{}, fmt.Errorf("%q: no such quantisation; known are %s", name, strings.Join(known, " "))
}

// Shape is what a recipe must know of the model.
type Shape struct {
	Layers int  // number of decoder layers
	Tied   bool // the output projection is the embedding
}

// Choice is the type that a tensor gets. Reason says why it is not the recipe's
// Main; it is empty where it is.
type Choice struct {
	Type   dtype.Type
	Reason string
	// FellBack is set where the tensor could not have the type meant for it.
	FellBack bool
}

// Choose returns the type of the tensor with that GGUF name ("blk.3.attn_v.weight")
// and shape [rows, cols]; expert matrices have dimensions before.
func (r Recipe) Choose(name string, shape []int, model Shape) Choice {
	if len(shape) < 2 {
		return Choice{Type: dtype.F32, Reason: "a vector is kept in full"}
	}
	if strings.Contains(name, "ffn_gate_inp") || strings.Contains(name, "_norm") {
		return Choice{Type: dtype.F32, Reason: "small and sensitive, kept in full"}
	}
	choice := Choice{Type: r.Main}
	layer, part := split(name)
	switch {
	case part == "output.weight", part == "token_embd.weight" && model.Tied:
		choice.Type = r.Head
	case (part == "attn_v.weight" || part == "ffn_down.weight") && moreBits(layer, model.Layers):
		choice.Type = r.More
	}
	if choice.Type != r.Main {
		choice.Reason = "more bits where errors cost most"
	}
	cols := shape[len(shape)-1]
	if fit, reason := Fit(choice.Type, cols); reason != "" {
		return Choice{fit, reason, true}
	}
	return choice
}

// split separates "blk.3.attn_v.weight" into 3 and "attn_v.weight"; the layer is
// -1 where the name has none.
func split(name string) (layer int, part string) {
	rest, ok := strings.CutPrefix(name, "blk.")
	if !ok {
		return -1, name
	}
	number, part, _ := strings.Cut(rest, ".")
	layer, err := strconv.Atoi(number)
	if err != nil {
		return -1, name
	}
	return layer, part
}

// moreBits says whether a layer is among the first or last eighth, or every
// third of the others.
func moreBits(layer, layers int) bool {
	return layer >= 0 && (layer < layers/8 || layer >= 7*layers/8 || (layer-layers/8)%3 == 2)
}

// smaller are the types with blocks of 32 that stand in where a row is not whole
// blocks of 256.
var smaller = map[dtype.Type]dtype.Type{
	dtype.Q2_K: dtype.Q4_0, dtype.Q3_K: dtype.Q4_0, dtype.Q4_K: dtype.Q5_0, dtype.Q5_K: dtype.Q5_1, dtype.Q6_K: dtype.Q8_0,
}

// Fit returns t where rows of cols values are whole blocks of it; otherwise the
// nearest type whose blocks they are, at last F16, with the reason.
func Fit(t dtype.Type, cols int) (fit dtype.Type, reason string) {
	fit = t
	if s, ok := smaller[fit]; ok && cols%fit.BlockSize() != 0 {
		fit = s
	}
	if cols%fit.BlockSize() != 0 {
		fit = dtype.F16
	}
	if fit != t {
		reason = fmt.Sprintf("rows of %d values are not whole blocks of %d (%v)", cols, t.BlockSize(), t)
	}
	return fit, reason
}
