// Package agent lets a model work with tools: it asks the model, runs the calls
// in its reply, gives the results back, and goes on until the model answers or
// a bound is reached.
//
// It guarantees that everything that happened is in the [Transcript] and among
// the events, in order; that a call whose arguments do not fit the tool's
// schema is never run; that a tool's failure and a malformed call go back to
// the model as text it can act on, and are counted; and that a loop ends: after
// a number of replies, or when a call is repeated that has its result already.
//
// It refuses to guess at malformed calls, to cut a result without saying so in
// the result, and to run two tools of one name.
package agent
