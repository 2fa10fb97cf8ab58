// Package engine is inference: many requests at once over one model.
//
// Its parts are a paged cache whose blocks are counted by reference and found
// again by what they were computed of, sequences and branches, a scheduler that
// mixes prompts cut into chunks with one-token steps (continuous batching),
// sampling under constraints, guesses that are checked in the same step, adapters
// by request, and scoring of given texts. docs/engine.md is the contract.
//
// It guarantees that what a request gets depends on the request alone: the same
// tokens in any batch, for any chunking, after any preemption. Running out of
// cache puts the newest sequence back in the queue, it is never an error. It
// refuses a request that cannot fit even alone, before its first token.
package engine
