// Package hub brings models here and finds those that are here.
//
// It is for every place where MODEL is written: a name such as Qwen/Qwen3-0.6B,
// with a revision (@main) and a variant of a GGUF (:Q4_K_M), a short name, or a
// web address. Find looks in LIAN_HOME and in the caches of Hugging Face,
// ModelScope and Ollama, without network; Pull downloads from hubs that speak the
// interface of one of the first two or of OpenXLab.
//
// It guarantees that a file under its own name is whole and was checked against
// what the hub says of it (SHA-256, or git's hash of small files, else its size,
// and then says so); that a pull which was stopped, killed or cut off goes on
// where it was; that a token is sent to the hub it is for and to no other host;
// and that caches of other programs are only read. It refuses names that would
// leave the model's folder, answers that are not what was asked for, and to begin
// a download for which the disk has no room.
package hub
