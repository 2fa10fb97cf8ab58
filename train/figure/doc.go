// Package figure is everything known of a training step, and how it is computed: loss and bits per byte by domain, rates, utilisation
// of the machine, norms by group, update ratios, the largest attention logit, memory.
//
// It guarantees one payload a step (Step) that every reader takes as it is and computes nothing from (board, plots, TensorBoard files,
// index, report), and that what costs time (Detail) is made every so many steps only. Figures never change what is trained: they read. It
// refuses to name a share of the machine's peak when no peak was measured.
package figure
