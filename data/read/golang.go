package read

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/doc"
	"go/format"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"

	"lian/data/document"
)

// Go reads the Go files of one folder: a document for the package, one for
// each documented symbol and example (go/doc), and the source itself in pieces
// (kind code). All documents of a file share its group.
//
// A file that does not parse is read as source only. Test files give examples
// only. Undocumented symbols give no document of their own: they are in the source.
func Go(files []File, o Options) []Result {
	results := make([]Result, len(files))
	texts := make([]string, len(files))
	byName := map[string]*Result{}
	positions := token.NewFileSet()
	packages := map[string][]*ast.File{}
	for i, f := range files {
		text, result, ok := load(f, o)
		results[i] = result
		if !ok {
			continue
		}
		texts[i] = newlines(text)
		byName[f.Name] = &results[i]
		parsed, err := parser.ParseFile(positions, f.Name, texts[i], parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			results[i].reject(0, "go", Damaged, "read as plain source: "+err.Error(), 0)
			continue
		}
		name := strings.TrimSuffix(parsed.Name.Name, "_test")
		packages[name] = append(packages[name], parsed)
	}
	names := make([]string, 0, len(packages))
	for name := range packages {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		g := &goPackage{positions: positions, results: byName, path: importPath(files[0])}
		// AllDecls: unexported documentation is English as good as the exported.
		p, err := doc.NewFromFiles(positions, packages[name], g.path, doc.AllDecls)
		if err != nil {
			continue // not one package after all; its source is still read below
		}
		g.name = p.Name
		g.add(p)
	}
	for i, f := range files {
		if texts[i] == "" {
			continue
		}
		if strings.HasSuffix(f.Name, "_test.go") {
			if len(results[i].Documents) == 0 && len(results[i].Rejected) == 0 {
				results[i].reject(0, "go", GoTest, "no documented example in it", float64(f.Size))
			}
			continue
		}
		pieces := Pieces(texts[i], pieceBytes)
		for _, piece := range pieces {
			results[i].add(document.Document{
				Kind: document.KindCode, Title: path.Base(f.Name), Text: piece, Group: f.Name,
				Fields: map[string]string{"file": path.Base(f.Name), "package": importPath(f)},
			}, "go")
		}
	}
	return results
}

// importPath is what Go code would import a file's folder by: from the nearest
// go.mod above it, else its path below the input.
func importPath(f File) string {
	folder := filepath.Dir(f.Path)
	below := path.Dir(f.Name)
	parts := strings.Split(below, "/")
	for up := 0; up < len(parts); up++ {
		content, err := os.ReadFile(filepath.Join(folder, "go.mod"))
		if err == nil {
			if module := modulePath(content); module != "" {
				rest := path.Join(parts[len(parts)-up:]...)
				if module == "std" {
					return rest
				}
				return path.Join(module, rest)
			}
		}
		folder = filepath.Dir(folder)
	}
	if len(parts) > 1 {
		return path.Join(parts[1:]...)
	}
	return below
}

func modulePath(content []byte) string {
	for _, line := range bytes.Split(content, []byte{'\n'}) {
		if rest, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("module ")); ok {
			return strings.Trim(string(bytes.TrimSpace(rest)), `"`)
		}
	}
	return ""
}

type goPackage struct {
	positions *token.FileSet
	results   map[string]*Result
	path      string // import path
	name      string
}

func (g *goPackage) add(p *doc.Package) {
	if text := strings.TrimSpace(p.Doc); text != "" {
		file := ""
		for _, candidate := range p.Filenames { // the file with the package comment: doc.go, else the first
			if file == "" || path.Base(candidate) == "doc.go" {
				file = candidate
			}
		}
		g.emit(file, "package", p.Name, "", "package "+p.Name, text)
	}
	g.examples(p.Examples, p.Name)
	g.values("const", p.Consts)
	g.values("var", p.Vars)
	for _, f := range p.Funcs {
		g.function("func", f)
	}
	for _, t := range p.Types {
		g.declaration("type", t.Name, t.Decl, t.Doc)
		g.examples(t.Examples, t.Name)
		g.values("const", t.Consts)
		g.values("var", t.Vars)
		for _, f := range t.Funcs {
			g.function("func", f)
		}
		for _, m := range t.Methods {
			g.function("method", m)
		}
	}
}

func (g *goPackage) values(what string, values []*doc.Value) {
	for _, v := range values {
		if len(v.Names) > 0 {
			g.declaration(what, v.Names[0], v.Decl, v.Doc)
		}
	}
}

func (g *goPackage) function(what string, f *doc.Func) {
	name := f.Name
	if what == "method" {
		name = strings.TrimPrefix(f.Recv, "*") + "." + f.Name
		if i := strings.IndexByte(name, '['); i >= 0 {
			name = name[:i] + "." + f.Name
		}
	}
	f.Decl.Body, f.Decl.Doc = nil, nil
	g.declaration(what, name, f.Decl, f.Doc)
	g.examples(f.Examples, name)
}

func (g *goPackage) declaration(what, name string, decl ast.Decl, text string) {
	if text = strings.TrimSpace(text); text == "" {
		return
	}
	var signature bytes.Buffer
	if err := (&printer.Config{Mode: printer.UseSpaces | printer.TabIndent, Tabwidth: 8}).Fprint(&signature, g.positions, withoutDoc(decl)); err != nil {
		return
	}
	g.emit(g.positions.Position(decl.Pos()).Filename, what, g.name+"."+name, name, signature.String(), text)
}

// withoutDoc leaves out the declaration's own comment, which is printed apart.
func withoutDoc(decl ast.Decl) ast.Node {
	if general, ok := decl.(*ast.GenDecl); ok {
		short := *general
		short.Doc = nil
		return &short
	}
	return decl
}

const signatureBytes = 2 << 10 // a longer declaration (a table) is in the source pieces

func (g *goPackage) emit(file, what, symbol, name, signature, text string) {
	result := g.results[file]
	if result == nil {
		return
	}
	if len(signature) > signatureBytes {
		signature, _, _ = strings.Cut(signature, "\n")
		signature = Pieces(signature, 200)[0] + " …"
	}
	head := "package " + g.path + "\n\n" + signature
	if what == "package" {
		head = "package " + g.path
		name = g.name
	}
	exported := "yes"
	if !ast.IsExported(lastName(name)) && what != "package" {
		exported = "no"
	}
	for _, piece := range Pieces(text, pieceBytes) {
		result.add(document.Document{
			Kind: document.KindGo, Title: symbol, Text: head + "\n\n" + piece, Group: file,
			Fields: map[string]string{"symbol": symbol, "name": name, "package": g.path, "signature": signature, "doc": piece, "what": what, "exported": exported},
		}, "go")
	}
}

func lastName(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

func (g *goPackage) examples(list []*doc.Example, name string) {
	for _, e := range list {
		var code bytes.Buffer
		node := any(&printer.CommentedNode{Node: e.Code, Comments: e.Comments})
		if e.Play != nil {
			node = e.Play
		}
		file := g.positions.Position(e.Code.Pos()).Filename
		result := g.results[file]
		if result == nil || format.Node(&code, g.positions, node) != nil {
			continue
		}
		symbol := g.name
		if name != g.name {
			symbol += "." + name
		}
		title := "Example of " + symbol
		if e.Suffix != "" {
			title += " (" + e.Suffix + ")"
		}
		var text strings.Builder
		fmt.Fprintf(&text, "%s, package %s\n\n", title, g.path)
		if comment := strings.TrimSpace(e.Doc); comment != "" {
			text.WriteString(comment + "\n\n")
		}
		text.WriteString("```go\n" + strings.TrimSpace(code.String()) + "\n```\n")
		if output := strings.TrimSpace(e.Output); output != "" {
			text.WriteString("\nOutput:\n" + output + "\n")
		}
		result.add(document.Document{
			Kind: document.KindGo, Title: title, Text: strings.TrimSpace(text.String()), Group: file,
			Fields: map[string]string{"symbol": symbol, "name": name, "package": g.path, "what": "example", "exported": "yes", "output": strings.TrimSpace(e.Output)},
		}, "go")
	}
}

// Buildable says whether a Go file belongs to linux/amd64, the one platform
// whose files are read from the distribution, so that the corpus is the same
// on every machine; generated says whether a program wrote it.
func Buildable(name string, head []byte) (buildable, generated bool) {
	buildable = true
	parts := strings.Split(strings.TrimSuffix(strings.TrimSuffix(path.Base(name), ".go"), "_test"), "_")
	for _, tag := range parts[1:] {
		if (knownOS[tag] && tag != "linux") || (knownArch[tag] && tag != "amd64") {
			buildable = false
		}
	}
	for line := range bytes.Lines(head) {
		text := strings.TrimSpace(string(line))
		if strings.HasPrefix(text, "// Code generated ") && strings.HasSuffix(text, "DO NOT EDIT.") {
			generated = true
		}
		if constraint.IsGoBuild(text) {
			if expression, err := constraint.Parse(text); err == nil {
				buildable = buildable && expression.Eval(func(tag string) bool {
					return tag == "linux" || tag == "amd64" || tag == "unix" || tag == "gc" || strings.HasPrefix(tag, "go1")
				})
			}
		}
		if strings.HasPrefix(text, "package ") {
			break
		}
	}
	return buildable, generated
}

var knownOS = set("aix android darwin dragonfly freebsd hurd illumos ios js nacl netbsd openbsd plan9 solaris wasip1 windows zos linux")
var knownArch = set("386 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x sparc64 wasm amd64")

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}
