package lineedit

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lian/store/atomicfile"
)

// History is what was written before, the newest last. With a file it outlives the program: a JSON text a line, for its owner alone.
type History struct {
	entries []string
	path    string
	at      int    // the entry shown; len(entries): none
	written string // what stood there when looking back began
}

// mostEntries are kept in the file.
const mostEntries = 1000

// OpenHistory reads a file of earlier texts, which need not exist yet. What cannot be read is left out, the rest counts.
func OpenHistory(path string) (*History, error) {
	h := &History{path: path}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	if err != nil {
		return h, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var entry string
		if json.Unmarshal(lines.Bytes(), &entry) == nil && entry != "" {
			h.entries = append(h.entries, entry)
		}
	}
	if len(h.entries) > 2*mostEntries {
		h.entries = h.entries[len(h.entries)-mostEntries:]
		return h, h.rewrite()
	}
	return h, lines.Err()
}

// rewrite makes the file shorter.
func (h *History) rewrite() error {
	f, err := atomicfile.Create(h.path)
	if err != nil {
		return err
	}
	for _, entry := range h.entries {
		line, err := json.Marshal(entry)
		if err != nil {
			return errors.Join(err, f.Abort())
		}
		f.Write(append(line, '\n')) // Commit has the error
	}
	return f.Commit()
}

// Add notes a text, unless it is blank or the last one again. The file is a comfort: where it cannot be written nothing is said.
func (h *History) Add(text string) {
	if strings.TrimSpace(text) == "" || len(h.entries) > 0 && h.entries[len(h.entries)-1] == text {
		return
	}
	h.entries = append(h.entries, text)
	if h.path == "" {
		return
	}
	line, err := json.Marshal(text)
	if err != nil || os.MkdirAll(filepath.Dir(h.path), 0o777) != nil {
		return
	}
	if f, err := os.OpenFile(h.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
		f.Write(append(line, '\n'))
		f.Close()
	}
}

func (h *History) begin() { h.at = len(h.entries) }

// step is the next older or newer entry that begins with what was written when looking back began.
func (h *History) step(older bool, text string) (string, bool) {
	if h.at == len(h.entries) {
		h.written = text
	}
	if older {
		for i := h.at - 1; i >= 0; i-- {
			if h.entries[i] != text && strings.HasPrefix(h.entries[i], h.written) {
				h.at = i
				return h.entries[i], true
			}
		}
		return "", false
	}
	for i := h.at + 1; i < len(h.entries); i++ {
		if h.entries[i] != text && strings.HasPrefix(h.entries[i], h.written) {
			h.at = i
			return h.entries[i], true
		}
	}
	if h.at < len(h.entries) {
		h.begin()
		return h.written, true
	}
	return "", false
}

// Entries is everything noted, the newest last.
func (h *History) Entries() []string { return slices.Clone(h.entries) }
