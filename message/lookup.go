package message

import (
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// Most runs of the program show a few dozen of the texts; parsing all of them would take longer than some verbs take. So lines that
// begin with a key are found by looking, and only what stands there is parsed. A test holds this against the parsed tables.

// place is the part of a file that begins with a key and ends before the next.
type place struct {
	file string
	text string
	once sync.Once
	entry
	err error
}

// places are the keys of all files but those of help.
var places = sync.OnceValue(func() map[string]*place {
	all := map[string]*place{}
	names, err := files.ReadDir(".")
	if err != nil {
		return all
	}
	for _, f := range names {
		text, err := files.ReadFile(f.Name())
		if err != nil || strings.HasPrefix(f.Name(), helpFiles) {
			continue
		}
		find(f.Name(), string(text), all)
	}
	return all
})

// find notes where the keys of a file are: at the beginning of a line, before a colon.
func find(file, text string, all map[string]*place) {
	begin, key := -1, ""
	end := func(at int) {
		if begin >= 0 {
			all[key] = &place{file: file, text: text[begin:at]}
		}
	}
	for at := 0; at < len(text); {
		next := len(text)
		if n := strings.IndexByte(text[at:], '\n'); n >= 0 {
			next = at + n + 1
		}
		if c := text[at]; c != ' ' && c != '#' && c != '\n' && c != '\r' {
			if name, _, ok := strings.Cut(text[at:next], ":"); ok {
				end(at)
				begin, key = at, name
			}
		}
		at = next
	}
	end(len(text))
}

// lookup is the entry of a key.
func lookup(key string) (entry, bool) {
	p := places()[key]
	if p == nil {
		return entry{}, false
	}
	p.once.Do(func() {
		var part map[string]entry
		p.err = yaml.Unmarshal([]byte(p.text), &part)
		p.entry = part[key]
		p.entry.file = p.file
	})
	return p.entry, p.err == nil
}
