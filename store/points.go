package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"lian/event"
)

// pointsSchema is the part of the index that holds figures over steps: what lines of events.jsonl say, one row a number, so that questions over many runs need not read their folders.

const pointsSchema = `
CREATE TABLE points (
	path  TEXT NOT NULL,    -- of the run
	stage TEXT NOT NULL,    -- step of the chain; empty where the run is one training
	kind  TEXT NOT NULL,    -- of the event: train.step, train.heldout …
	step  INTEGER NOT NULL,
	name  TEXT NOT NULL,    -- path of the number in the payload: loss, detail.gradient_norms.head
	value REAL NOT NULL,
	PRIMARY KEY (path, stage, kind, name, step)
) WITHOUT ROWID;
CREATE TABLE followed (path TEXT PRIMARY KEY, offset INTEGER NOT NULL, head TEXT NOT NULL); -- how far events.jsonl has been read, and its first line
`

// Follow reads what a run's events have said of its figures since it was last followed, and returns how many numbers those are. A run that went back to a
// checkpoint overwrites what it repeats; a folder that holds another run than before is read anew.
func (x *Index) Follow(ctx context.Context, dir string) (int, error) {
	path, err := filepath.Abs(dir)
	if err != nil {
		return 0, err
	}
	file := filepath.Join(path, EventsFile)
	head, err := firstLine(file)
	if err != nil {
		return 0, err
	}
	tx, err := x.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("index points of %s: %w", path, err)
	}
	defer tx.Rollback()
	var offset int64
	var known string
	if err := tx.QueryRowContext(ctx, "SELECT offset, head FROM followed WHERE path = ?", path).Scan(&offset, &known); err == nil && known != head {
		offset = 0
		if _, err := tx.ExecContext(ctx, "DELETE FROM points WHERE path = ?", path); err != nil {
			return 0, err
		}
	}
	events, next, err := event.ReadFrom(file, offset)
	if err != nil {
		return 0, err
	}
	insert, err := tx.PrepareContext(ctx, "INSERT OR REPLACE INTO points (path, stage, kind, step, name, value) VALUES (?, ?, ?, ?, ?, ?)")
	if err != nil {
		return 0, err
	}
	defer insert.Close()
	n := 0
	for _, e := range events {
		if !strings.HasPrefix(e.Kind, "train.") {
			continue
		}
		var payload map[string]any
		if e.Decode(&payload) != nil {
			continue // of another form: it has no numbers with names
		}
		step, ok := payload["step"].(float64)
		if !ok {
			continue
		}
		if e.Kind == "train.step" { // what there was of it and of those after it is overtaken
			if _, err := tx.ExecContext(ctx, "DELETE FROM points WHERE path = ? AND stage = ? AND step >= ? AND kind = 'train.step'", path, e.Step, step); err != nil {
				return 0, err
			}
		}
		for name, value := range numbers(payload, "", map[string]float64{}) {
			if name == "step" {
				continue
			}
			if _, err := insert.ExecContext(ctx, path, e.Step, e.Kind, int64(step), name, value); err != nil {
				return n, fmt.Errorf("index points of %s: %w", path, err)
			}
			n++
		}
	}
	if _, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO followed (path, offset, head) VALUES (?, ?, ?)", path, next, head); err != nil {
		return n, err
	}
	return n, tx.Commit()
}

// numbers gathers the numbers of a payload by path; those in lists of things with a name have it in the path.
func numbers(v any, path string, out map[string]float64) map[string]float64 {
	join := func(name string) string {
		if path == "" {
			return name
		}
		return path + "." + name
	}
	switch v := v.(type) {
	case float64:
		out[path] = v
	case map[string]any:
		for name, x := range v {
			numbers(x, join(name), out)
		}
	case []any:
		for i, x := range v {
			name := fmt.Sprint(i)
			if m, ok := x.(map[string]any); ok {
				if s, ok := m["name"].(string); ok {
					name = s
				}
			}
			numbers(x, join(name), out)
		}
	}
	return out
}

// firstLine tells one run's events from another's.
func firstLine(file string) (string, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s: the run has no events: %w", file, err)
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	buffer := make([]byte, 256)
	n, _ := f.Read(buffer)
	line, _, _ := strings.Cut(string(buffer[:n]), "\n")
	return line, nil
}

// Best is a run and the least (or the most) that a figure was in it.
type Best struct {
	Path  string  `json:"path"`
	Name  string  `json:"name"`
	Kind  string  `json:"kind"`
	Stage string  `json:"stage,omitempty"`
	Value float64 `json:"value"`
	Step  int64   `json:"step"`
}

// Best ranks the runs that have been followed by a figure of an event, smallest first: ("train.heldout", "bits_per_byte").
func (x *Index) Best(ctx context.Context, kind, name string, limit int) ([]Best, error) {
	rows, err := x.db.QueryContext(ctx, `SELECT p.path, r.name, r.kind, p.stage, min(p.value), p.step FROM points p JOIN runs r ON r.path = p.path
WHERE p.kind = ? AND p.name = ? GROUP BY p.path, p.stage ORDER BY 5 LIMIT ?`, kind, name, limit)
	if err != nil {
		return nil, fmt.Errorf("rank runs: %w", err)
	}
	defer rows.Close()
	out := []Best{}
	for rows.Next() {
		var b Best
		if err := rows.Scan(&b.Path, &b.Name, &b.Kind, &b.Stage, &b.Value, &b.Step); err != nil {
			return nil, fmt.Errorf("rank runs: %w", err)
		}
		out = append(out, b)
	}
	return out, rows.Err()
}
