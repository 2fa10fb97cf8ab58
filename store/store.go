// Package store keeps what took time: runs as plain folders, an index of them in
// SQLite, and files that appear whole or not at all.
//
// It guarantees that a run's folder can be read without the index and without
// Lian (YAML, JSON and JSON lines; docs/format/run.md), that the index can be
// rebuilt from the folders, that only one process works in a run at a time, and
// that what is reported as done is on the disk. It refuses to begin a run where
// another one stands, and a name that is not a plain folder name.
package store

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"lian/store/atomicfile"
)

// AtomicFile is a file being written; Commit gives it its name, Abort drops it.
type AtomicFile = atomicfile.File

// Create starts writing what will be path. The folder must exist.
func Create(path string) (*AtomicFile, error) { return atomicfile.Create(path) }

// WriteFile writes data as path, whole or not at all. The folder must exist.
func WriteFile(path string, data []byte) error { return atomicfile.WriteFile(path, data) }

// WriteJSON writes v as indented JSON, whole or not at all.
func WriteJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return WriteFile(path, append(text, '\n'))
}

// ReadJSON reads a JSON file into v. Keys that v does not have are left out.
func ReadJSON(path string, v any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		var other *json.UnmarshalTypeError
		if errors.As(err, &other) { // its own words are of Go's types
			where := other.Field
			if where == "" {
				where = "the whole"
			}
			return fmt.Errorf("%s: not the expected JSON: %s is a JSON %s", path, where, other.Value)
		}
		return fmt.Errorf("%s: not the expected JSON: %w", path, err)
	}
	return nil
}

// HashFile is the SHA-256 of a file's bytes in hexadecimal.
func HashFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// HomeEnvironment is the variable that names the folder of models and the index.
const HomeEnvironment = "LIAN_HOME"

// Home is the folder where models and the index of runs live: LIAN_HOME, or else
// "lian" in the system's folder for user data, or else ".lian" in the working
// folder where the system knows no such folder. It need not exist.
func Home() string {
	if dir := os.Getenv(HomeEnvironment); dir != "" {
		return dir
	}
	var base string
	home, err := os.UserHomeDir()
	switch runtime.GOOS {
	case "windows":
		base = os.Getenv("LocalAppData")
	case "darwin":
		if err == nil {
			base = filepath.Join(home, "Library", "Application Support")
		}
	default:
		if base = os.Getenv("XDG_DATA_HOME"); base == "" && err == nil {
			base = filepath.Join(home, ".local", "share")
		}
	}
	if base == "" {
		return ".lian"
	}
	return filepath.Join(base, "lian")
}
