// Package train learns a byte-level BPE vocabulary from text.
//
// It guarantees the merges that Hugging Face's BpeTrainer finds (the pair with the
// highest count; of equals the one with the smallest left id, then the smallest
// right id), the same for any number of workers and any order of the texts.
//
// It refuses a vocabulary that is too small for its 256 bytes and special tokens,
// and a split pattern that it does not know.
package train
