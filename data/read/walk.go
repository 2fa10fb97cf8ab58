package read

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
)

// Walk lists the files under the inputs, by name. What it does not list
// (hidden folders, links to folders, folders it may not enter) comes back as
// results that carry the reason. A missing input is an error: it was asked for.
func Walk(ctx context.Context, inputs []string) ([]File, []Result, error) {
	var files []File
	var left []Result
	used := map[string]int{}
	for _, input := range inputs {
		absolute, err := filepath.Abs(input)
		if err != nil {
			return nil, nil, fmt.Errorf("input %s: %w", input, err)
		}
		root, err := filepath.EvalSymlinks(absolute)
		if err != nil {
			return nil, nil, fmt.Errorf("input %s: %s; give a folder or file that exists", input, plainError(err))
		}
		// Named as it was given: a link called notes stays notes.
		base := filepath.Base(absolute)
		if used[base]++; used[base] > 1 {
			base = fmt.Sprintf("%s-%d", base, used[base])
		}
		err = filepath.WalkDir(root, func(p string, entry fs.DirEntry, err error) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			relative, _ := filepath.Rel(root, p)
			name := path.Join(base, filepath.ToSlash(relative))
			file := File{Path: p, Name: name}
			if err != nil {
				left = append(left, failed(file, Unreadable, plainError(err)))
				return nil
			}
			if p != root && strings.HasPrefix(entry.Name(), ".") {
				left = append(left, failed(file, Hidden, "the name begins with a dot"))
				if entry.IsDir() {
					return filepath.SkipDir
				}
				return nil
			}
			if entry.IsDir() {
				return nil
			}
			info, err := os.Stat(p) // follows links
			switch {
			case err != nil:
				left = append(left, failed(file, Unreadable, plainError(err)))
			case !info.Mode().IsRegular():
				left = append(left, failed(file, NotAFile, info.Mode().Type().String()))
			default:
				file.Size = info.Size()
				files = append(files, file)
			}
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	sort.Slice(files, func(i, j int) bool { return files[i].Name < files[j].Name })
	sort.Slice(left, func(i, j int) bool { return left[i].File.Name < left[j].File.Name })
	return files, left, nil
}
