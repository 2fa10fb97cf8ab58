package step

import (
	"errors"
	"fmt"
	"os"

	"lian/format/tokenfile"
)

// TokenFacts are what a file of token ids of another program holds.
type TokenFacts struct {
	Documents  int    `json:"documents"`
	Tokens     int64  `json:"tokens"`
	Texts      int    `json:"texts,omitempty"` // documents that are text, without ids
	Largest    int32  `json:"largest"`         // id; −1 where none was read
	End        int32  `json:"end"`             // id found between documents, −1 where there is none
	Vocabulary int    `json:"vocabulary,omitempty"`
	IDs        string `json:"ids_sha256,omitempty"` // with --verify
}

// readableTokens bounds a file that is read whole without being asked to.
const readableTokens = 256 << 20

// tokenFile describes a file of token ids that another program wrote; false where it is none.
func (i *inspector) tokenFile(path string) (bool, error) {
	f, err := tokenfile.Look(path)
	if errors.Is(err, tokenfile.ErrUnknown) {
		return false, nil
	}
	if err != nil || f.Kind == tokenfile.Lian || f.Kind == tokenfile.JSONLines && f.Path[len(f.Path)-1] == 'l' {
		return false, err
	}
	i.What, i.Format = WhatTokens, string(f.Kind)
	facts := &TokenFacts{Largest: -1, End: tokenfile.None}
	i.Tokens = facts
	o := tokenfile.Options{End: tokenfile.None}
	if f.Kind.InPlace() {
		r, err := tokenfile.Open(f, o)
		if err != nil {
			return true, err
		}
		defer r.Close()
		facts.Documents, facts.Tokens, facts.End = r.Documents(), tokenfile.Count(r), tokenfile.End(r)
		if f.Kind == tokenfile.NanoGPT {
			if facts.Vocabulary, err = tokenfile.MetaVocabulary(path); err != nil {
				i.problem("%v", err)
			}
			if facts.End < 0 {
				i.problem("nothing in the file says where documents end; name the id that stands between them with --end when you train on it")
			}
		}
		return true, i.tokenIDs(r, facts)
	}
	info, err := os.Stat(f.Path)
	if err != nil {
		return true, err
	}
	if info.Size() > readableTokens && !i.o.Verify {
		i.problem("%d bytes, which only --verify reads whole to count documents", info.Size())
		return true, nil
	}
	for r, err := range tokenfile.Records(f, o) {
		if err != nil {
			return true, fmt.Errorf("%w: %w", ErrUnsound, err)
		}
		facts.Documents++
		facts.Tokens += int64(len(r.IDs))
		if r.IsText {
			facts.Texts++
		}
		for _, id := range r.IDs {
			facts.Largest = max(facts.Largest, id)
		}
	}
	return true, nil
}

// tokenIDs looks at the ids: all with --verify, else of a file that is not too large.
func (i *inspector) tokenIDs(r tokenfile.Reader, facts *TokenFacts) (err error) {
	if facts.Tokens > readableTokens && !i.o.Verify {
		return nil
	}
	for d := range r.Documents() {
		t, err := r.Read(d, 0, r.Length(d))
		if err != nil {
			i.problem("%v", err)
			return fmt.Errorf("%w: %w", ErrUnsound, err)
		}
		for _, id := range t.IDs {
			facts.Largest = max(facts.Largest, id)
		}
	}
	if i.o.Verify {
		facts.IDs, err = tokenfile.Sum(r)
	}
	return err
}
