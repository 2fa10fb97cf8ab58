// Package train turns sequences into a better model: one loop for pretraining
// and fine-tuning, in full or through an adapter.
//
// It guarantees that a run is a function of its options, its data and its seed:
// any number of workers and any interruption give the same bytes. What has been
// reported as a checkpoint survives a kill at any moment. It refuses to go on
// after a loss that is not a number.
package train
