// Package train learns vocabularies from text: byte-level BPE as Hugging Face's
// BpeTrainer does, BPE and unigram as sentencepiece's trainers do.
//
// It guarantees the reference's merges and ids for BPE, and for unigram its pieces
// and scores but for rounding, which may decide between pieces that the texts would
// miss equally; the same bytes for any number of workers and any order of the texts.
// Where the reference leaves an order to chance, docs in the code say which is taken.
//
// It refuses a vocabulary that is too small for its bytes, characters and special
// tokens, a split pattern or normaliser that it does not know, and texts of more than
// two thousand million different symbols.
package train
