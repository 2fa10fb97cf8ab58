// Package step wires the house together: one file a verb, used by recipes and
// by the command line alike. It is the only place where data, training, engine,
// evaluation, serving and agents meet.
//
// It guarantees that a verb and the recipe's step of the same name do the same.
// It refuses to do work of its own: it opens, calls, writes and reports.
package step
