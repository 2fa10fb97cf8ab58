package train

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"lian/tokenizer"
)

// corpus is the texts as trainers of SentencePiece models see them: words, cut
// wherever no piece can lie across, and without rare characters.
type corpus struct {
	kept  []character // characters of the vocabulary, most frequent first
	words *bag
	// contexts are the words with contextMark and the byte that comes after them in the
	// sentence: a zero byte and the first byte of the next sentence at its end, the zero
	// byte alone at the end of the texts. For unigram only, which begins with pieces that
	// are followed by different bytes.
	contexts *bag
	rare     int64 // characters that were taken out
}

// wholeBytes is the size of texts up to which words stay whole for unigram. Cutting
// them saves work and changes nothing but rounding, which decides between pieces
// where texts are small.
var wholeBytes int64 = 16 << 20

type character struct {
	char  rune
	count int64
}

// No bytes of UTF-8: contextMark comes before what comes after a word, wholeMark before
// a whole word.
const (
	contextMark = 0xff
	wholeMark   = 0xfe
)

// read normalises the sentences and counts their words.
func (r *SentencePiece) read(ctx context.Context, texts iter.Seq[string], meta map[int]scored) (*corpus, error) {
	o := &r.options
	normalizer, err := tokenizer.NewNormalizer([]tokenizer.Normalization{r.normalization()})
	if err != nil {
		return nil, err
	}
	reader := sentenceReader{o: o, normalizer: normalizer, shapes: newShapes(o), special: newFinder(meta)}
	all, err := count(ctx, lookAhead(cutLines(texts)), o.Workers, o.Reading, reader.chunk)
	if err != nil {
		return nil, err
	}
	r.Sentences, r.TooLong, r.Reserved = int(reader.sentences.Load()), int(reader.long.Load()), int(reader.reserved.Load())
	c := &corpus{words: newBag()}
	kept, err := c.cover(all, o)
	if err != nil {
		return nil, err
	}
	if o.Model == tokenizer.Unigram {
		c.contexts = newBag()
	}
	whole := o.Model == tokenizer.Unigram && reader.bytes.Load() <= wholeBytes
	if whole {
		c.keepWhole(all, kept, o.SplitByWhitespace)
	}
	c.cut(all, kept, whole)
	if o.Model == tokenizer.Unigram && !(whole && !o.SplitByWhitespace) {
		c.words.sort()
	}
	return c, nil
}

// sentenceReader turns lines into words.
type sentenceReader struct {
	o                         *SentencePieceOptions
	normalizer                *tokenizer.Normalizer
	shapes                    shapes
	special                   finder
	sentences, long, reserved atomic.Int64
	bytes                     atomic.Int64 // of sentences
}

// sentence is a line as training sees it, "" if it is left out.
func (r *sentenceReader) sentence(line string) string {
	line = strings.TrimSuffix(line, "\n")
	if line == "" || r.o.MaxSentenceLength > 0 && len(line) > r.o.MaxSentenceLength || strings.Contains(line, string(rareMark)) {
		return ""
	}
	return r.special.replace(r.normalizer.Normalize(line), string(boundary))
}

// chunk adds the words of the sentences of a chunk.
func (r *sentenceReader) chunk(c chunk, add func(string)) {
	var key []byte
	before, order := "", uint64(c.number)<<32 // where a sentence stands in the texts
	for line := range strings.Lines(c.text) {
		order++
		s := r.sentence(line)
		if s == "" {
			switch {
			case strings.Contains(line, string(rareMark)):
				r.reserved.Add(1)
			case r.o.MaxSentenceLength > 0 && len(line) > r.o.MaxSentenceLength:
				r.long.Add(1)
			}
			continue
		}
		r.sentences.Add(1)
		if before != "" {
			key = r.words(key, before, s[:1], order, add)
		}
		before = s
	}
	if before == "" {
		return
	}
	next := ""
	for line := range strings.Lines(c.next) {
		if s := r.sentence(line); s != "" {
			next = s[:1]
			break
		}
	}
	r.words(key, before, next, order+1, add)
}

// words adds the words of a sentence; next is the first byte of the one after it, order
// rises from sentence to sentence.
func (r *sentenceReader) words(key []byte, sentence, next string, order uint64, add func(string)) []byte {
	emit := func(word, after string) {
		if r.o.Model != tokenizer.Unigram {
			add(word)
			return
		}
		key = append(append(append(key[:0], word...), contextMark), after...)
		add(string(key)) // the bag copies what is new
	}
	whole := r.o.Model == tokenizer.Unigram && r.bytes.Add(int64(len(sentence))) <= wholeBytes
	emitWhole := func(word string) {
		if !whole {
			return
		}
		key = append(key[:0], wholeMark)
		if !r.o.SplitByWhitespace { // the reference takes whole sentences as they come
			key = binary.BigEndian.AppendUint64(key, order)
		}
		key = append(key, word...)
		add(string(key))
	}
	begin, last, word := 0, rune(-1), 0
	for i, c := range sentence {
		if last >= 0 && r.o.SplitByWhitespace && r.wordEnds(last, c) {
			emitWhole(sentence[word:i])
			word = i
		}
		if last >= 0 && r.between(last, c) {
			_, n := utf8.DecodeRuneInString(sentence[i:])
			emit(sentence[begin:i], sentence[i:i+n])
			begin = i
		}
		last = c
	}
	emit(sentence[begin:], "\x00"+next)
	emitWhole(sentence[word:])
	return key
}

// between tells whether words are cut between two characters.
func (r *sentenceReader) between(a, b rune) bool {
	if a == boundary || b == boundary {
		return true
	}
	return r.o.SplitByWhitespace && r.wordEnds(a, b) || r.shapes.apart(a, b)
}

// wordEnds tells whether one word ends and another begins between two characters.
func (r *sentenceReader) wordEnds(a, b rune) bool {
	runs := r.o.WhitespaceOnlyPieces
	if r.o.WhitespaceAsSuffix {
		return a == blank && !(runs && b == blank)
	}
	return b == blank && !(runs && a == blank)
}

// cover chooses the characters of the vocabulary: those that are required, then the
// most frequent ones until they are enough of the text.
func (c *corpus) cover(all *bag, o *SentencePieceOptions) (kept []bool, err error) {
	counts := make([]int64, unicode.MaxRune+1)
	total := int64(0)
	for i, x := range all.items {
		if all.text(i)[0] == wholeMark {
			continue
		}
		word, _, _ := bytes.Cut(all.text(i), []byte{contextMark})
		for _, r := range string(word) {
			if r != 0 {
				counts[r] += x.times
				total += x.times
			}
		}
	}
	if total == 0 {
		return nil, fmt.Errorf("there is no text to learn from")
	}
	required := map[rune]bool{}
	for _, r := range o.RequiredChars {
		required[r] = r != 0
	}
	var found []character
	for r, n := range counts {
		if n > 0 || required[rune(r)] {
			found = append(found, character{rune(r), n})
		}
	}
	slices.SortStableFunc(found, func(a, b character) int {
		if x, y := required[a.char], required[b.char]; x != y {
			if x {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.count, a.count)
	})
	kept = make([]bool, unicode.MaxRune+1)
	sum := int64(0)
	for _, x := range found {
		if float32(float64(sum)/float64(total)) >= float32(o.CharacterCoverage) {
			break
		}
		sum += x.count
		if x.char != boundary {
			kept[x.char] = true
			c.kept = append(c.kept, x)
		}
	}
	slices.SortFunc(c.kept, func(a, b character) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.char, b.char))
	})
	return kept, nil
}

// keepWhole takes the whole words, with marks for rare characters. Sentences that are
// not split at blanks stay in their order.
func (c *corpus) keepWhole(all *bag, kept []bool, split bool) {
	mark := func(word []byte) string {
		return strings.Map(func(r rune) rune {
			if kept[r] {
				return r
			}
			return rareMark
		}, string(word))
	}
	var keys []string
	for i, x := range all.items {
		switch key := all.text(i); {
		case key[0] != wholeMark:
		case split:
			c.words.add(mark(key[1:]), x.times)
		default:
			keys = append(keys, string(key[1:]))
		}
	}
	slices.Sort(keys) // by the order before each
	for _, key := range keys {
		c.words.append(mark([]byte(key[8:])), 1)
	}
}

// cut takes rare characters out of the words. Where words stay whole it is for the
// contexts only.
func (c *corpus) cut(all *bag, kept []bool, whole bool) {
	var key []byte
	add := func(word []byte, after []byte, times int64) {
		if len(word) == 0 {
			return
		}
		if !whole {
			c.words.add(string(word), times)
		}
		if c.contexts != nil {
			key = append(append(append(key[:0], word...), contextMark), after...)
			c.contexts.add(string(key), times)
		}
	}
	rare := []byte(string(rareMark))[:1]
	for i, x := range all.items {
		if all.text(i)[0] == wholeMark {
			continue
		}
		word, after, _ := bytes.Cut(all.text(i), []byte{contextMark})
		begin := 0
		for at := 0; at < len(word); {
			r, n := utf8.DecodeRune(word[at:])
			if !kept[r] {
				add(word[begin:at], rare, x.times)
				if !whole {
					c.rare += x.times
				}
				begin = at + n
			}
			at += n
		}
		if len(after) > 0 && after[0] != 0 {
			if r, _ := utf8.DecodeRune(after); kept[r] {
				after = after[:1]
			} else {
				after = rare
			}
		}
		add(word[begin:], after, x.times)
	}
}

// finder finds the longest of some texts at a place.
type finder struct {
	texts []string // longest first
	first [256]bool
}

func newFinder(meta map[int]scored) finder {
	var f finder
	for _, x := range meta {
		f.texts = append(f.texts, x.text)
		f.first[x.text[0]] = true
	}
	slices.SortFunc(f.texts, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return f
}

// replace puts with for each of the texts in s, from left to right.
func (f *finder) replace(s, with string) string {
	var out []byte
	begin := 0
next:
	for i := 0; i < len(s); {
		if f.first[s[i]] {
			for _, text := range f.texts {
				if strings.HasPrefix(s[i:], text) {
					out = append(append(out, s[begin:i]...), with...)
					i += len(text)
					begin = i
					continue next
				}
			}
		}
		i++
	}
	if out == nil {
		return s
	}
	return string(append(out, s[begin:]...))
}
