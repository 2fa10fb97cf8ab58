package hub

import (
	_ "embed"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"lian/config"
)

// LeftOut is a group of files that are not taken, and why.
type LeftOut struct {
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
	Why   string `json:"why"` // message key after hub.left.
}

// choice is what of a repository is taken.
type choice struct {
	files   []File
	left    []LeftOut
	variant string // that was taken although none was asked for
}

//go:embed files.yaml
var filesTable []byte

type fileTable struct {
	Beside  []string      `yaml:"beside"`
	Weights []weightGroup `yaml:"weights"`
	Aside   []string      `yaml:"aside"`
}

type weightGroup struct {
	Name  string   `yaml:"name"`
	Files []string `yaml:"files"`
}

var table = sync.OnceValue(func() (t fileTable) {
	if err := config.Decode(filesTable, "files.yaml", &t); err != nil {
		panic(err) // our own file; a test reads it
	}
	return t
})

// choose takes the files that are asked for, or those that make a model.
func choose(all []File, r Reference, o Options) (c choice, err error) {
	switch {
	case o.File != "" || r.File != "":
		c, err = chooseFile(all, first(o.File, r.File))
	case r.Variant != "":
		c, err = chooseVariant(all, r.Variant)
	case len(o.Include) > 0:
		c = split(all, func(f File) string {
			if matches(o.Include, f.Path) {
				return ""
			}
			return "include"
		})
	default:
		c, err = chooseModel(all)
	}
	if err != nil {
		return c, err
	}
	kept := split(c.files, func(f File) string {
		if matches(o.Exclude, f.Path) {
			return "exclude"
		}
		return ""
	})
	kept.left, kept.variant = append(c.left, kept.left...), c.variant
	if len(kept.files) == 0 {
		return kept, fmt.Errorf("none of the %d files is chosen; the repository holds %s", len(all), someNames(all))
	}
	return kept, nil
}

// split keeps the files for which why is empty and counts the others by it.
func split(all []File, why func(File) string) (c choice) {
	for _, f := range all {
		reason := why(f)
		if reason == "" {
			c.files = append(c.files, f)
			continue
		}
		at := slices.IndexFunc(c.left, func(l LeftOut) bool { return l.Why == reason })
		if at < 0 {
			at = len(c.left)
			c.left = append(c.left, LeftOut{Why: reason})
		}
		c.left[at].Files++
		c.left[at].Bytes += max(f.Size, 0)
	}
	return c
}

func chooseFile(all []File, name string) (choice, error) {
	at := slices.IndexFunc(all, func(f File) bool { return f.Path == name })
	if at < 0 {
		at = slices.IndexFunc(all, func(f File) bool { return path.Base(f.Path) == name })
	}
	if at < 0 {
		return choice{}, fmt.Errorf("there is no file %s; the repository holds %s", name, someNames(all))
	}
	return takeGroup(all, groupOf(all[at].Path)), nil
}

// takeGroup takes one file, or all parts of a split one.
func takeGroup(all []File, group string) choice {
	return split(all, func(f File) string {
		if groupOf(f.Path) == group {
			return ""
		}
		return "others"
	})
}

var partOf = regexp.MustCompile(`-\d{5}-of-\d{5}\.gguf$`)

// groupOf is a file's name, the same for all parts of a split GGUF.
func groupOf(name string) string { return partOf.ReplaceAllString(name, ".gguf") }

// variants are the GGUF models of a repository, parts of split ones as one.
func variants(all []File) (groups []string) {
	for _, f := range all {
		if g := groupOf(f.Path); strings.HasSuffix(strings.ToLower(g), ".gguf") && !matches(table().Aside, g) && !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	return groups
}

// named says whether a GGUF's file name has the variant as a part of its own: Q4_K is not in model-Q4_K_M.gguf.
func named(group, variant string) bool {
	name := strings.ToLower(strings.TrimSuffix(path.Base(group), path.Ext(group)))
	variant = strings.ToLower(variant)
	for from := 0; ; {
		at := strings.Index(name[from:], variant)
		if at < 0 {
			return false
		}
		at += from
		end := at + len(variant)
		if (at == 0 || strings.ContainsRune("-._", rune(name[at-1]))) && (end == len(name) || strings.ContainsRune("-.", rune(name[end]))) {
			return true
		}
		from = at + 1
	}
}

func chooseVariant(all []File, variant string) (choice, error) {
	groups := variants(all)
	if len(groups) == 0 {
		return choice{}, fmt.Errorf("the repository holds no GGUF file, so there is no variant %s; leave it away to take the model as it is", variant)
	}
	var found []string
	for _, g := range groups {
		if named(g, variant) {
			found = append(found, g)
		}
	}
	switch len(found) {
	case 1:
		return takeGroup(all, found[0]), nil
	case 0:
		return choice{}, fmt.Errorf("no GGUF file is a %s; there are %s", variant, strings.Join(groups, ", "))
	}
	return choice{}, fmt.Errorf("%s could be %s; name the file with --file", variant, strings.Join(found, ", "))
}

// usual is the variant that is taken, and named, where several are there and none was asked for; other programs do the same.
const usual = "Q4_K_M"

func chooseModel(all []File) (choice, error) {
	top := func(f File) bool { return !strings.Contains(f.Path, "/") }
	for _, g := range table().Weights {
		if !slices.ContainsFunc(all, func(f File) bool { return top(f) && matches(g.Files, f.Path) }) {
			continue
		}
		return split(all, func(f File) string {
			switch {
			case top(f) && matches(g.Files, f.Path), top(f) && matches(table().Beside, f.Path):
				return ""
			case isWeights(f.Path):
				return "weights"
			}
			return "beside"
		}), nil
	}
	switch groups := variants(all); {
	case len(groups) == 1:
		return takeGroup(all, groups[0]), nil
	case len(groups) > 1:
		if c, err := chooseVariant(all, usual); err == nil {
			c.variant = usual
			return c, nil
		}
		return choice{}, fmt.Errorf("the repository holds %d models as GGUF: %s; name one as NAME:VARIANT or with --file", len(groups), strings.Join(groups, ", "))
	}
	c := split(all, func(f File) string { // a tokenizer, or a layout that we do not know
		if isWeights(f.Path) || !matches(table().Beside, f.Path) {
			return "beside"
		}
		return ""
	})
	return c, nil
}

func isWeights(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".safetensors", ".bin", ".pt", ".pth", ".gguf", ".ggml", ".h5", ".msgpack", ".onnx", ".onnx_data", ".ot", ".mlmodel", ".tflite", ".ckpt", ".npz":
		return true
	}
	return false
}

// someNames lists the first few files.
func someNames(all []File) string {
	var names []string
	for i, f := range all {
		if i == 20 {
			names = append(names, fmt.Sprintf("and %d more", len(all)-i))
			break
		}
		names = append(names, f.Path)
	}
	if len(names) == 0 {
		return "no files"
	}
	return strings.Join(names, ", ")
}

// matches says whether one of the patterns is of the whole path. * is any text, ? one character; "dir/" is all below it.
func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if strings.HasSuffix(p, "/") {
			p += "*"
		}
		return glob(p, name)
	})
}

// glob compares without going back over what an earlier * took, so that no pattern takes long.
func glob(pattern, name string) bool {
	star, mark := -1, 0
	p, n := 0, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p++
			n++
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
