package tokenizer

import (
	"bytes"
	_ "embed" // tiktoken.yaml
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

//go:embed tiktoken.yaml
var tiktokenYAML []byte

// rankFile is what is known about a file of ranks beside its ranks.
type rankFile struct {
	Names    []string
	Ranks    int
	Pattern  string
	Specials map[string]int32
	Ranges   []struct {
		Text            string
		From, To, First int32
	}
}

var rankFiles = sync.OnceValue(func() (all []rankFile) {
	d := yaml.NewDecoder(bytes.NewReader(tiktokenYAML))
	d.KnownFields(true)
	if err := d.Decode(&all); err != nil {
		panic("tokenizer/tiktoken.yaml: " + err.Error())
	}
	return all
})

// ParseTiktoken reads a rank file of tiktoken's format (base64 and rank, one a line).
// name, without folder and ending, says which special tokens and which way of
// splitting belong to it; where it says nothing the number of ranks does.
func ParseTiktoken(data []byte, name string) (*Tokenizer, error) {
	tokens, err := readRanks(data)
	if err != nil {
		return nil, err
	}
	ranks := 0
	for _, b := range tokens {
		if b != nil {
			ranks++
		}
	}
	about, err := findRankFile(name, ranks)
	if err != nil {
		return nil, err
	}
	t, err := about.tokenizer(tokens)
	if err == nil && ranks != about.Ranks {
		t.notes = append(t.notes, fmt.Sprintf("the file has %d ranks, %s as published has %d; its special tokens and way of splitting are taken all the same", ranks, about.Names[0], about.Ranks))
	}
	return t, err
}

// findRankFile picks by name, then by the number of ranks.
func findRankFile(name string, ranks int) (*rankFile, error) {
	all := rankFiles()
	var known []string
	for i := range all {
		for _, n := range all[i].Names {
			if n == strings.ToLower(name) {
				return &all[i], nil
			}
			known = append(known, n)
		}
	}
	for i := range all {
		if all[i].Ranks == ranks {
			return &all[i], nil
		}
	}
	return nil, fmt.Errorf("a rank file called %q with %d ranks is not known, so its special tokens and way of splitting are not; known are %s", name, ranks, strings.Join(known, ", "))
}

// readRanks reads the bytes of the tokens by rank.
func readRanks(data []byte) ([][]byte, error) {
	var tokens [][]byte
	arena := make([]byte, 0, len(data))
	line := 0
	for len(data) > 0 {
		line++
		row := data
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			row, data = data[:i], data[i+1:]
		} else {
			data = nil
		}
		row = bytes.TrimRight(row, " \r")
		if len(row) == 0 {
			continue
		}
		text, number, ok := bytes.Cut(row, []byte(" "))
		rank, err := strconv.ParseUint(string(number), 10, 31)
		if !ok || err != nil {
			return nil, fmt.Errorf("line %d: %.60q is not base64, a blank and a rank", line, row)
		}
		from := len(arena)
		if arena, err = base64.StdEncoding.AppendDecode(arena, text); err != nil || len(arena) == from {
			return nil, fmt.Errorf("line %d: %.60q is not the base64 of a token", line, text)
		}
		// Ranks may leave a few ids out; a lone huge one is damage.
		if rank > uint64(2*len(tokens)+4096) {
			return nil, fmt.Errorf("line %d: rank %d after %d tokens", line, rank, len(tokens))
		}
		for len(tokens) <= int(rank) {
			tokens = append(tokens, nil)
		}
		if tokens[rank] != nil {
			return nil, fmt.Errorf("line %d: rank %d comes twice", line, rank)
		}
		tokens[rank] = arena[from:len(arena):len(arena)]
	}
	if len(tokens) == 0 {
		return nil, fmt.Errorf("no ranks in it; expected base64 and a rank on each line")
	}
	return tokens, nil
}

func (r *rankFile) tokenizer(ranks [][]byte) (*Tokenizer, error) {
	d := Definition{Model: RankBPE, Tokens: make([]string, len(ranks)), Steps: []Step{{Kind: Split, Pattern: r.Pattern}}}
	for id, b := range ranks {
		if b != nil {
			d.Tokens[id] = ByteLevel(string(b))
		}
	}
	var err error
	add := func(text string, id int32) {
		if int(id) < len(ranks) && ranks[id] != nil {
			err = fmt.Errorf("rank %d is the token %q; expected the special token %s there", id, ranks[id], text)
			return
		}
		for len(d.Tokens) <= int(id) {
			d.Tokens = append(d.Tokens, "")
		}
		d.Tokens[id] = text
		d.Added = append(d.Added, Added{ID: id, Text: text, Special: true})
	}
	for text, id := range r.Specials {
		add(text, id)
	}
	for _, s := range r.Ranges {
		for n := s.From; n <= s.To; n++ {
			add(strings.Replace(s.Text, "{}", strconv.Itoa(int(n)), 1), s.First+n-s.From)
		}
	}
	if err != nil {
		return nil, err
	}
	sortAdded(d.Added)
	return New(d)
}
