package shard

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
	"math"

	"lian/store/atomicfile"
)

// Write writes documents as path, whole or not at all. Tokens go straight to the
// file; 16 bytes per document are held in memory. An error of the sequence ends
// the writing and is returned.
func Write(path string, documents iter.Seq2[Document, error], meta Meta) error {
	if err := write(path, documents, meta); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

func write(path string, documents iter.Seq2[Document, error], meta Meta) error {
	if meta.VocabSize <= 0 || meta.VocabSize > math.MaxInt32 {
		return fmt.Errorf("a vocabulary of %d; 1 to %d are possible", meta.VocabSize, math.MaxInt32)
	}
	if meta.TokenizerHash == "" {
		return errors.New("no tokenizer hash: nobody could tell what the ids mean")
	}
	metadata, err := json.Marshal(meta)
	if err != nil {
		return err
	}
	file, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer file.Abort()
	out := bufio.NewWriterSize(file, 1<<20)
	if _, err := out.Write(make([]byte, headerSize)); err != nil { // filled in at the end
		return err
	}
	h := header{width: widthOf(meta.VocabSize), metaLength: uint64(len(metadata))}
	var ends, texts, encoded []byte
	var text uint64
	for document, err := range documents {
		if err != nil {
			return fmt.Errorf("document %d: %w", h.documents, err)
		}
		if encoded, err = encode(encoded[:0], document.Tokens, meta.VocabSize, h.width); err != nil {
			return fmt.Errorf("document %d: %w", h.documents, err)
		}
		if document.TextBytes < 0 || uint64(document.TextBytes) > 1<<62-text {
			return fmt.Errorf("document %d: %d bytes of text", h.documents, document.TextBytes)
		}
		if _, err := out.Write(encoded); err != nil {
			return err
		}
		h.tokenChecksum = crc32.Update(h.tokenChecksum, castagnoli, encoded)
		h.documents++
		h.tokens += uint64(len(document.Tokens))
		text += uint64(document.TextBytes)
		ends = binary.LittleEndian.AppendUint64(ends, h.tokens)
		texts = binary.LittleEndian.AppendUint64(texts, text)
	}
	tokenEnd := headerSize + h.tokens*uint64(h.width)
	h.indexAt = (tokenEnd + 7) / 8 * 8
	h.metaAt = h.indexAt + 16*h.documents
	h.indexChecksum = crc32.Checksum(h.encode()[:56], castagnoli)
	for _, part := range [][]byte{make([]byte, h.indexAt-tokenEnd), ends, texts, metadata} {
		if _, err := out.Write(part); err != nil {
			return err
		}
	}
	for _, part := range [][]byte{ends, texts, metadata} {
		h.indexChecksum = crc32.Update(h.indexChecksum, castagnoli, part)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if _, err := file.WriteAt(h.encode(), 0); err != nil {
		return err
	}
	return file.Commit()
}

func encode(out []byte, tokens []int32, vocabSize int, width uint32) ([]byte, error) {
	for i, id := range tokens {
		if id < 0 || int(id) >= vocabSize {
			return nil, fmt.Errorf("token %d has id %d, the vocabulary has %d", i, id, vocabSize)
		}
		if width == 2 {
			out = binary.LittleEndian.AppendUint16(out, uint16(id))
		} else {
			out = binary.LittleEndian.AppendUint32(out, uint32(id))
		}
	}
	return out, nil
}
