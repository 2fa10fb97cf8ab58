// Package tokenizer turns text into token ids and back: byte-level byte-pair
// encoding (BPE) as GPT-2 introduced it (Radford et al. 2019) and as Llama 3, Qwen,
// SmolLM, DeepSeek and most open models use it.
//
// It reads and writes Hugging Face tokenizer.json and reads the vocabulary of GGUF
// files. Its ids equal those of the `tokenizers` library.
//
// It guarantees:
//
//   - Every byte survives: Decode(Encode(text)) == text for any bytes, also invalid
//     UTF-8, when the vocabulary holds all 256 byte symbols (see MissingBytes) and
//     the file asks for no normalisation.
//   - Special tokens inside text are plain text unless the caller says otherwise
//     for that very place (EncodeWith): nobody becomes the system by typing
//     "<|im_start|>".
//   - A Tokenizer is immutable and may be used from many goroutines.
//   - A Stream never gives half a character.
//
// It refuses, by name, everything in a file that it does not implement: other
// models (unigram, WordPiece, SentencePiece-style byte fallback), normalisers other
// than NFC, unknown pre-tokenisers, decoders and fields. Nothing in a file is
// ignored; what is read but left to the caller (truncation, padding, tokens added
// around a text) is listed by Notes.
package tokenizer
