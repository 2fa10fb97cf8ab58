// Package eval asks models questions with known answers and says how sure the
// figures are.
//
// A question is answered by log-likelihood (choice), by generation (exact) or
// by a tool call (tool). It guarantees that every model is asked the same
// questions in the same words, encoded by chat.Encode, that every answer is
// kept, and that two models are compared question by question. It refuses to
// call a difference one that the test did not find.
package eval
