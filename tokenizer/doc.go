// Package tokenizer turns text into token ids and back, for every kind of tokenizer
// that open models come with: byte-level BPE (GPT-2, Llama 3, Qwen), tiktoken's rank
// files, BPE over characters, sentencepiece's BPE, unigram, word and character models,
// WordPiece, word lists and longest match (RWKV).
//
// It reads tokenizer.json with all its parts, sentencepiece .model files, .tiktoken
// rank files, vocab.json with merges.txt, vocab.txt, llama2.c's tokenizer.bin and the
// vocabularies in GGUF files. Each is a Definition, which New makes work. Ids, places
// and decoded texts equal those of the project that the file belongs to: tokenizers,
// sentencepiece, tiktoken, llama.cpp.
//
// It guarantees:
//
//   - Every byte survives byte-level BPE: Decode(Encode(text)) == text for any bytes,
//     also invalid UTF-8, when the vocabulary holds all 256 byte symbols (see
//     MissingBytes) and the file asks for no normalisation. Other kinds change text as
//     their project does.
//   - Special tokens inside text are plain text unless the caller says otherwise
//     for that very place (EncodeWith): nobody becomes the system by typing
//     "<|im_start|>". This holds also where the reference's model would make a control
//     token of its text.
//   - A Tokenizer is immutable and may be used from many goroutines.
//   - A Stream never gives half a character.
//
// Character classes are those of Go's Unicode tables; for the few classes where the
// tokenizers library has older ones, unicode.yaml says so.
//
// It refuses, by name, everything in a file that it does not implement: BPE with
// dropout (ids would be random), sentencepiece's denormaliser, GGUF's PLaMo-2 and
// HybridDNA vocabularies, rank files of unknown name, unknown parts and fields. Nothing
// in a file is ignored; what Encode leaves to the caller is listed by Notes: tokens around
// a text, two texts as one, truncation (Template, Assemble) and padding (Padding).
package tokenizer
