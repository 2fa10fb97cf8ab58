package step

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"lian/config"
	"lian/data"
	"lian/event"
	"lian/format/shard"
	"lian/format/tokenfile"
	"lian/store"
	"lian/tokenizer"
)

// CorpusFile lists the token files of a run by domain: tokenfile.Domain in JSON. A folder without it has the domains that its files
// and folders say.
const CorpusFile = "corpus.json"

// corpusParts are the domains of a folder of token files.
func corpusParts(dir string) ([]tokenfile.Domain, error) {
	path := filepath.Join(dir, CorpusFile)
	if !exists(path) {
		out, err := tokenfile.Discover(dir)
		if len(out) == 1 && filepath.Base(dir) == "shards" { // a run's own, of whatever DATA was
			out[0].Name = "text"
		}
		return out, err
	}
	var out []tokenfile.Domain
	if err := store.ReadJSON(path, &out); err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: lists no domain", path)
	}
	return out, nil
}

// PrepareAll makes a corpus of several DATA, each of which is what Prepare takes, or token files of any trainer. Those that are not read
// in place are unpacked, and tokenised where they hold text, into shards in dir. What was made is not made again.
func PrepareAll(ctx context.Context, inputs []string, tokenizerPath string, vocabulary int, o MixtureOptions, dir string, events event.Sink) (Prepared, error) {
	if err := o.check(); err != nil {
		return Prepared{}, err
	}
	defer collectOften()()
	kinds := make([]string, len(inputs))
	found := make([][]tokenfile.Domain, len(inputs))
	texts := 0
	for i, input := range inputs {
		var err error
		if found[i], err = tokenFiles(input); err != nil {
			return Prepared{}, err
		}
		if kinds[i] = kindsOf(found[i]); found[i] == nil {
			texts++
		}
	}
	if len(inputs) == 1 && (texts == 1 || kinds[0] == string(tokenfile.Lian) && exists(filepath.Join(inputs[0], "train.shard"))) {
		return Prepare(ctx, inputs[0], tokenizerPath, vocabulary, dir, events)
	}
	p := Prepared{Tokenizer: tokenizerPath, Shards: filepath.Join(dir, "shards")}
	if p.Tokenizer == "" && texts == len(inputs) {
		var err error
		if p.Tokenizer, err = commonTokenizer(ctx, inputs, vocabulary, dir, events); err != nil {
			return p, err
		}
	}
	if p.Tokenizer == "" {
		if p.Tokenizer = besides(inputs); p.Tokenizer == "" {
			return p, fmt.Errorf("%s: what ids mean is not in token files, and several DATA need one tokenizer; pass --tokenizer", strings.Join(inputs, ", "))
		}
	}
	tok, err := tokenizer.Load(p.Tokenizer)
	if err != nil {
		return p, err
	}
	var all []tokenfile.Domain
	for i, input := range inputs {
		domains := found[i]
		if domains == nil {
			part, err := Prepare(ctx, input, p.Tokenizer, vocabulary, partFolder(dir, i), events)
			if err != nil {
				return p, err
			}
			if domains, err = tokenfile.Discover(part.Shards); err != nil {
				return p, err
			}
			kinds[i] = part.What
		}
		if len(domains) == 1 { // what a person calls it
			domains[0].Name = strings.TrimSuffix(filepath.Base(absolute(input)), filepath.Ext(input))
		}
		for _, d := range domains {
			for _, list := range [][]tokenfile.File{d.Train, d.HeldOut} {
				for k := range list {
					if list[k], err = unpack(ctx, list[k], filepath.Join(p.Shards, d.Name), tok, o, events); err != nil {
						return p, err
					}
				}
			}
			all = append(all, d)
		}
	}
	if err := os.MkdirAll(p.Shards, 0o755); err != nil {
		return p, err
	}
	p.What = strings.Join(kinds, ", ")
	return p, store.WriteJSON(filepath.Join(p.Shards, CorpusFile), all)
}

func absolute(path string) string {
	if a, err := filepath.Abs(path); err == nil {
		return a
	}
	return path
}

// tokenFiles are the token files of DATA; nil where it is text that lian data run reads: cleaned documents, or JSON lines of text.
func tokenFiles(input string) ([]tokenfile.Domain, error) {
	if IsDocuments(input) {
		return nil, nil
	}
	domains, err := tokenfile.Discover(input)
	if errors.Is(err, tokenfile.ErrUnknown) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, d := range domains { // whatever is not JSON lines of text as they are makes the whole token files
		for _, f := range d.Train {
			text, err := plainText(f)
			if err != nil {
				return nil, err
			}
			if !text {
				return domains, nil
			}
		}
	}
	return nil, nil
}

// plainText reports whether a file is JSON lines, not packed, whose first record is text.
func plainText(f tokenfile.File) (bool, error) {
	if f.Kind != tokenfile.JSONLines || !strings.HasSuffix(f.Path, ".jsonl") {
		return false, nil
	}
	for r, err := range tokenfile.Records(f, tokenfile.Options{End: tokenfile.None}) {
		return err != nil || r.IsText, nil // a record without ids or text is one of data run's, which says so
	}
	return true, nil
}

// kindsOf names the formats of domains.
func kindsOf(domains []tokenfile.Domain) string {
	var out []string
	for _, d := range domains {
		for _, f := range d.Train {
			if k := string(f.Kind); !strings.Contains(strings.Join(out, "+"), k) {
				out = append(out, k)
			}
		}
	}
	return strings.Join(out, "+")
}

// IsDocuments reports whether a folder is one of documents that lian data run has cleaned.
func IsDocuments(path string) bool { return exists(filepath.Join(path, data.TrainFile)) }

// partFolder is where the i-th DATA is made into shards.
func partFolder(dir string, i int) string { return filepath.Join(dir, fmt.Sprintf("data-%d", i)) }

// commonTokenizer learns one tokenizer from all of several DATA that are text, once.
func commonTokenizer(ctx context.Context, inputs []string, vocabulary int, dir string, events event.Sink) (string, error) {
	file := filepath.Join(dir, "tokenizer.json")
	if exists(file) {
		return file, nil
	}
	var o TokenizerOptions
	if err := config.Defaults(&o); err != nil {
		return "", err
	}
	o.VocabSize = vocabulary
	for i, input := range inputs {
		documents, _, err := documentsOf(ctx, input, partFolder(dir, i), events)
		if err != nil {
			return "", err
		}
		if i == 0 {
			o.Data = documents
		} else {
			o.More = append(o.More, documents)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	_, err := Tokenizer(ctx, dir, o, events)
	return file, err
}

// HasTokenizer says whether DATA is token files that have a tokenizer beside them.
func HasTokenizer(inputs []string) bool {
	for _, input := range inputs {
		if found, err := tokenFiles(input); err == nil && found != nil && besides([]string{input}) != "" {
			return true
		}
	}
	return false
}

// besides is a tokenizer that lies beside one of the data.
func besides(inputs []string) string {
	for _, input := range inputs {
		for _, dir := range []string{input, filepath.Dir(input)} {
			if path := filepath.Join(dir, "tokenizer.json"); exists(path) {
				return path
			}
		}
	}
	return ""
}

// unpack makes a shard of a file that is not read in place.
func unpack(ctx context.Context, f tokenfile.File, dir string, tok *tokenizer.Tokenizer, o MixtureOptions, events event.Sink) (tokenfile.File, error) {
	if f.Kind.InPlace() {
		f.Path = absolute(f.Path)
		return f, nil
	}
	name := strings.ReplaceAll(strings.Trim(filepath.ToSlash(f.Path), "/."), "/", "-")
	out := tokenfile.File{Path: absolute(filepath.Join(dir, name+".shard")), Kind: tokenfile.Lian}
	if exists(out.Path) {
		return out, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return out, err
	}
	w := tokenfile.Writing{Vocabulary: tok.VocabSize(), End: tokenfile.None, Tokenizer: tok.Hash()}
	_, err := tokenfile.Write(tokenfile.Lian, out.Path, recordDocuments(ctx, f, tok, o, events), w)
	return out, err
}

// recordDocuments are a file's records as documents: ids as they are, text through the tokenizer.
func recordDocuments(ctx context.Context, f tokenfile.File, tok *tokenizer.Tokenizer, o MixtureOptions, events event.Sink) func(yield func(tokenfile.Document, error) bool) {
	options := tokenfile.Options{End: tokenfile.None, Field: o.Field}
	if tok != nil {
		options.Vocabulary = tok.VocabSize()
		if mark, ok := tok.Special(Separator); ok {
			options.End = mark
		}
	}
	if o.End >= 0 {
		options.End = int32(o.End)
	}
	return func(yield func(tokenfile.Document, error) bool) {
		n := int64(0)
		for r, err := range tokenfile.Records(f, options) {
			if err == nil {
				err = ctx.Err()
			}
			d := tokenfile.Document{Tokens: tokenfile.Tokens{IDs: r.IDs}}
			switch {
			case err != nil:
			case r.IsText && tok == nil:
				err = fmt.Errorf("%v: holds text, which needs --tokenizer", r.Where)
			case r.IsText:
				d.IDs, d.TextBytes = tok.Encode(r.Text), int64(len(r.Text))
			case tok != nil:
				d.TextBytes = textBytes(tok, r.IDs)
			}
			if n++; n%1000 == 0 {
				events.Emit(event.KindProgress, event.Progress{Stage: "tokens of " + filepath.Base(f.Path), Done: n, Unit: "documents"})
			}
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
}

// textBytes is the length of the text that ids stand for.
func textBytes(tok *tokenizer.Tokenizer, ids []int32) (n int64) {
	for _, id := range ids {
		if !tok.IsSpecial(id) {
			n += int64(len(tok.TokenBytes(id)))
		}
	}
	return n
}

// openShard opens token shards and checks that the tokenizer made them.
func openShard(path string, tok *tokenizer.Tokenizer) (*shard.Reader, error) {
	r, err := shard.Open(path)
	if err != nil {
		return nil, err
	}
	if err = r.Verify(); err == nil && r.Meta().TokenizerHash != tok.Hash() {
		err = fmt.Errorf("%s: made with another tokenizer (%s) than the one given (%s); make the shards again", path, r.Meta().TokenizerHash, tok.Hash())
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}
