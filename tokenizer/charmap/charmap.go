// Package charmap makes the maps of characters by which SentencePiece models
// normalise text (precompiled_charsmap).
//
// It guarantees the rules that sentencepiece builds, for the version of Unicode that
// this program knows. It refuses names that sentencepiece does not have.
package charmap

import (
	"bytes"
	"compress/gzip"
	_ "embed" // nmt_nfkc.bin.gz
	"fmt"
	"io"
	"slices"
)

//go:generate go run ./gen

// The map that is used nearly always takes seconds to make, and is kept.
//
//go:embed nmt_nfkc.bin.gz
var nmtNFKC []byte

// Names are the normalisers that there are.
func Names() []string { return []string{"nmt_nfkc", "nfkc", "nmt_nfkc_cf", "nfkc_cf", "identity"} }

// Load gives the map of a normaliser: Unicode's NFKC; with nmt_ other spaces and
// control characters are removed too; with _cf case is folded. That of identity is
// empty. Maps other than nmt_nfkc take some seconds.
func Load(name string) ([]byte, error) {
	switch {
	case !slices.Contains(Names(), name):
		return nil, fmt.Errorf("normalizer %q: not known; known are %v", name, Names())
	case name == "identity":
		return nil, nil
	case name == "nmt_nfkc":
		r, err := gzip.NewReader(bytes.NewReader(nmtNFKC))
		if err != nil {
			return nil, fmt.Errorf("nmt_nfkc.bin.gz: %w", err)
		}
		return io.ReadAll(r)
	}
	return Make(name), nil
}

// Make makes the map of a normaliser from the tables of Unicode.
func Make(name string) []byte { return newRules(name).compiled() }
