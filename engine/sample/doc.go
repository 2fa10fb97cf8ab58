// Package sample turns a row of logits into the next token.
//
// It guarantees that the choice depends on the logits, the parameters, the tokens seen so far and the triple
// (seed, branch, position) alone: never on the batch, the thread, or the order in which requests arrived. Equal logits are
// ordered by token id. Temperature 0 is greedy and uses no randomness. What a mask or a ban excludes is never chosen, whatever
// the logits are; a NaN counts as excluded.
//
// Two orders of the steps have a name (Params.Order), and any other can be written down:
//
//	hf         presence_frequency → repetition → dry → temperature → top_h → top_k → top_p → min_p → typ_p → epsilon → eta → top_n_sigma → xtc
//	llama.cpp  penalties → dry → top_n_sigma → top_k → typ_p → top_p → min_p → xtc → temperature
//
// The first is that of Hugging Face transformers and of the OpenAI API, the second llama.cpp's default chain, by its names. Biases
// come before the first step; bans (no_repeat_ngram, bad words, min_tokens) after the last that changes logits of its own.
//
// No step sorts the vocabulary: a row is cut into parts whose largest values are known, and only parts that can matter are looked at.
// It refuses parameters out of range (Params.Validate) and has no process-wide random state.
package sample
