// Package serve puts models behind HTTP: the chat and completions APIs of OpenAI, a page to chat on, health and metrics.
//
// It guarantees
//   - that nothing asked is ignored in silence: a field that would change the answer and is not supported is refused by
//     name; a field that nobody knows is refused if it looks like a misspelt one, otherwise named in the response header
//     Lian-Ignored and counted;
//   - that streamed text never holds half a character, and joins to what the plain answer says;
//   - that a client that hangs up frees its place in the batch;
//   - that every failure is an error object with a status that says whose fault it is.
//
// It listens on loopback unless told otherwise, and there answers only to its own pages and to programs: other web sites
// are refused by their Origin and Host. It refuses requests above a size, and above a number at one time (503).
//
// Where it differs from OpenAI's: several tool calls in one reply need parallel_tool_calls to be true. Additions are under the names
// of llama.cpp's and vLLM's servers: the samplers (sampling.go) and what a reply is held to (constraints.go). Vectors are of length 1
// unless normalize is false; /v1/rerank (also /v2/rerank, /rerank) has Jina's and Cohere's form.
//
// POST /v1/chat/completions, /v1/completions, /v1/embeddings, /v1/rerank, GET /v1/models, GET /health, GET /metrics; the page is at
// /, what it shows comes from GET /lian/info, /lian/suggestions and /lian/messages.
package serve
