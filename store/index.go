package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver
)

// IndexFile is the name of the index in LIAN_HOME.
const IndexFile = "runs.db"

// schemaVersion changes with schema; an index of another version is made anew.
const schemaVersion = 2

const schema = `
CREATE TABLE runs (
	path     TEXT PRIMARY KEY,
	name     TEXT NOT NULL,
	kind     TEXT NOT NULL,
	status   TEXT NOT NULL,
	created  INTEGER NOT NULL, -- milliseconds since 1970, UTC
	finished INTEGER NOT NULL, -- 0: not yet
	version  TEXT NOT NULL,
	config   TEXT NOT NULL,
	summary  TEXT NOT NULL,    -- JSON, or empty
	reason   TEXT NOT NULL
);
CREATE INDEX runs_by_created ON runs (created);
CREATE INDEX runs_by_name ON runs (name);
`

// Index is a table of runs. It holds nothing that the folders do not: deleting its
// file loses nothing but the time to read them again. Several processes may use
// one index at once.
type Index struct {
	db *sql.DB
	// Replaced says where an index that could not be used was moved to, and why;
	// empty in the usual case. Runs outside the folders that are rebuilt are then
	// unknown until they are put again.
	Replaced string
}

// OpenIndex opens the index in a home folder and makes it when there is none. A
// damaged one, or one of another version, is set aside and made anew.
func OpenIndex(home string) (*Index, error) {
	if err := os.MkdirAll(home, 0o777); err != nil {
		return nil, fmt.Errorf("make the home folder (%s names it): %w", HomeEnvironment, err)
	}
	path := filepath.Join(home, IndexFile)
	x, err := openIndex(path)
	if err == nil {
		return x, nil
	}
	if !errors.Is(err, errUnusable) {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	aside := fmt.Sprintf("%s.%s", path, time.Now().UTC().Format("20060102-150405.000"))
	if renameErr := os.Rename(path, aside); renameErr != nil {
		return nil, fmt.Errorf("%s: %w; it cannot be set aside: %w", path, err, renameErr)
	}
	for _, suffix := range []string{"-wal", "-shm"} { // belong to the old file
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	x, err2 := openIndex(path)
	if err2 != nil {
		return nil, fmt.Errorf("%s: %w", path, err2)
	}
	x.Replaced = fmt.Sprintf("%s (%v)", aside, err)
	return x, nil
}

// errUnusable marks an index that is best made anew.
var errUnusable = errors.New("not a usable index")

// busyTimeout is how long one process waits for another's write.
const busyTimeout = 10 * time.Second

func openIndex(path string) (*Index, error) {
	settings := url.Values{"_pragma": {fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "journal_mode(WAL)", "synchronous(NORMAL)"}, "_txlock": {"immediate"}}
	location := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath(), RawQuery: settings.Encode()}).String()
	db, err := sql.Open("sqlite", location)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // an index is never the bottleneck, and one writer cannot deadlock
	x := &Index{db: db}
	// SQLite does not wait when several processes turn one new file into a
	// write-ahead log at once, whatever its busy_timeout: it says busy at once.
	for patience := time.Now().Add(busyTimeout); ; time.Sleep(5 * time.Millisecond) {
		err = x.prepare()
		if err == nil {
			return x, nil
		}
		if !strings.Contains(err.Error(), "SQLITE_BUSY") || time.Now().After(patience) {
			db.Close()
			return nil, err
		}
	}
}

// prepare makes the tables of a new file and checks those of an old one.
func (x *Index) prepare() error {
	tx, err := x.db.Begin()
	if err != nil {
		return damaged(err)
	}
	defer tx.Rollback()
	var version, tables int
	if err := tx.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return damaged(err)
	}
	if err := tx.QueryRow("SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return damaged(err)
	}
	switch {
	case version == schemaVersion:
		return nil
	case version != 0 || tables != 0:
		return fmt.Errorf("%w: it has version %d, this program writes %d", errUnusable, version, schemaVersion)
	}
	if _, err := tx.Exec(schema + pointsSchema + fmt.Sprintf("PRAGMA user_version = %d", schemaVersion)); err != nil {
		return damaged(err)
	}
	return tx.Commit()
}

// damaged tells a broken file from a busy one or a full disk.
func damaged(err error) error {
	for _, sign := range []string{"not a database", "malformed", "SQLITE_CORRUPT", "SQLITE_NOTADB"} {
		if strings.Contains(err.Error(), sign) {
			return fmt.Errorf("%w: %w", errUnusable, err)
		}
	}
	return err
}

// Close closes the index.
func (x *Index) Close() error { return x.db.Close() }

const upsert = `INSERT OR REPLACE INTO runs (path, name, kind, status, created, finished, version, config, summary, reason)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func put(ctx context.Context, to execer, e Entry) error {
	var finished int64
	if !e.Finished.IsZero() {
		finished = e.Finished.UnixMilli()
	}
	_, err := to.ExecContext(ctx, upsert, e.Path, e.Name, e.Kind, string(e.Status), e.Created.UnixMilli(), finished, e.Version, e.Config, string(e.Summary), e.Reason)
	if err != nil {
		return fmt.Errorf("index %s: %w", e.Path, err)
	}
	return nil
}

// Put records the run in a folder as it stands now.
func (x *Index) Put(ctx context.Context, dir string) error {
	e, err := ReadEntry(dir)
	if err != nil {
		return err
	}
	return put(ctx, x.db, e)
}

// Rebuild reads the runs in each folder of runs again, forgets those of them that
// are gone, and returns how many there are. A folder that does not exist has none.
// Runs that cannot be read are left out and named in the error; the others count.
func (x *Index) Rebuild(ctx context.Context, runsDirs ...string) (int, error) {
	var entries []Entry
	var problems []error
	var roots []string
	for _, dir := range runsDirs {
		root, err := filepath.Abs(dir)
		if err != nil {
			return 0, err
		}
		roots = append(roots, root)
		children, err := os.ReadDir(root)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			problems = append(problems, err)
			continue
		}
		for _, child := range children {
			e, err := ReadEntry(filepath.Join(root, child.Name()))
			switch {
			case err == nil:
				entries = append(entries, e)
			case !errors.Is(err, fs.ErrNotExist): // another folder, or a run that is just beginning
				problems = append(problems, err)
			}
		}
	}
	tx, err := x.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("rebuild the index: %w", err)
	}
	defer tx.Rollback()
	for _, root := range roots {
		prefix := root + string(filepath.Separator)
		const within = "DELETE FROM runs WHERE substr(path, 1, length(?1)) = ?1 AND instr(substr(path, length(?1) + 1), ?2) = 0"
		if _, err := tx.ExecContext(ctx, within, prefix, string(filepath.Separator)); err != nil {
			return 0, fmt.Errorf("rebuild the index: %w", err)
		}
	}
	for _, e := range entries {
		if err := put(ctx, tx, e); err != nil {
			return 0, err
		}
	}
	for _, table := range []string{"points", "followed"} { // of runs that are gone
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+table+" WHERE path NOT IN (SELECT path FROM runs)"); err != nil {
			return 0, fmt.Errorf("rebuild the index: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return 0, fmt.Errorf("rebuild the index: %w", err)
	}
	return len(entries), errors.Join(problems...)
}

// Filter chooses runs; its zero value chooses all.
type Filter struct {
	Name   string
	Kind   string
	Status Status
	Limit  int // 0: all
}

// List returns the runs that a filter chooses, newest first.
func (x *Index) List(ctx context.Context, f Filter) ([]Entry, error) {
	limit := f.Limit
	if limit <= 0 {
		limit = -1
	}
	rows, err := x.db.QueryContext(ctx, `SELECT path, name, kind, status, created, finished, version, config, summary, reason FROM runs
WHERE (?1 = '' OR name = ?1) AND (?2 = '' OR kind = ?2) AND (?3 = '' OR status = ?3)
ORDER BY created DESC, path LIMIT ?4`, f.Name, f.Kind, string(f.Status), limit)
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	defer rows.Close()
	var entries []Entry
	for rows.Next() {
		var e Entry
		var created, finished int64
		var summary string
		if err := rows.Scan(&e.Path, &e.Name, &e.Kind, &e.Status, &created, &finished, &e.Version, &e.Config, &summary, &e.Reason); err != nil {
			return nil, fmt.Errorf("list runs: %w", err)
		}
		e.Created = time.UnixMilli(created).UTC()
		if finished != 0 {
			e.Finished = time.UnixMilli(finished).UTC()
		}
		if summary != "" {
			e.Summary = json.RawMessage(summary)
		}
		entries = append(entries, e)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	return entries, nil
}
