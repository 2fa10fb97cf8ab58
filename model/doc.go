// Package model holds the nouns of a model: the ragged Batch it reads, the Pass
// it runs with, the Cache it keeps, its Parameters and how files name them.
//
// It guarantees one Forward for training and inference: a packed training row,
// a chunked prefill and a step of decoding are batches that differ in lengths
// only, and a nil tape is inference. It does no arithmetic; the decoder is in
// nn, the families in family.
package model
