package house

import (
	"go/ast"
	"go/token"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"lian/message"
)

// TestEveryPackageSaysWhatItIsFor: one doc comment in each package, in one file.
func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	docs := map[string][]string{}
	for _, f := range allGoFiles(t) {
		if f.isTest {
			continue
		}
		if _, known := docs[f.dir]; !known {
			docs[f.dir] = nil
		}
		if f.ast.Doc == nil {
			continue
		}
		text := f.ast.Doc.Text()
		if strings.TrimSpace(text) == "" { // only directives such as //go:build
			continue
		}
		docs[f.dir] = append(docs[f.dir], f.path)
		start := "Package " + f.ast.Name.Name + " "
		if f.ast.Name.Name == "main" {
			start = "Command "
		}
		if !strings.HasPrefix(text, start) {
			t.Errorf("%s: the package comment must begin with %q; leave an empty line before package if it is none", f.path, start)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(docs)) {
		if n := len(docs[dir]); n != 1 {
			t.Errorf("%s has %d package comments %v, want exactly one: what it is for, what it guarantees, what it refuses", dir, n, docs[dir])
		}
	}
}

// keyed are the functions whose argument at a position is a message key.
var keyed = map[string]int{"T": 0, "Say": 0, "Note": 0, "Text": 1, "verb": 1, "family": 1}

var keyForm = regexp.MustCompile(`^[a-z][a-z0-9]*(\.[a-z0-9_]+)+$`)

// TestNoMessageIsMissing finds message keys in calls of the functions above.
func TestNoMessageIsMissing(t *testing.T) {
	found := 0
	for _, f := range allGoFiles(t) {
		if f.isTest || f.dir == "message" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name := ""
			switch fun := call.Fun.(type) {
			case *ast.Ident:
				name = fun.Name
			case *ast.SelectorExpr:
				name = fun.Sel.Name
			}
			at, ok := keyed[name]
			if !ok || at >= len(call.Args) {
				return true
			}
			literal, ok := call.Args[at].(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			key, err := strconv.Unquote(literal.Value)
			if err != nil || !keyForm.MatchString(key) {
				return true
			}
			found++
			if !message.Has(key) {
				t.Errorf("%s: message %s is not in message/*.yaml", f.fset.Position(literal.Pos()), key)
			}
			return true
		})
	}
	if found == 0 {
		t.Error("no message keys found in the code; has a function been renamed?")
	}
}

// TestSkippedTestsSayWhy: make test prints the reason of each.
func TestSkippedTestsSayWhy(t *testing.T) {
	silent := regexp.MustCompile(`\.(?:SkipNow\(\)|Skip\(\))`)
	for _, f := range allGoFiles(t) {
		for i, line := range strings.Split(string(f.text), "\n") {
			if silent.MatchString(line) && !strings.Contains(line, "regexp.MustCompile") {
				t.Errorf("%s:%d: skips without a reason; use t.Skip(\"needs …\")", f.path, i+1)
			}
		}
	}
}

// fences are the fenced code blocks of a Markdown page.
func fences(text string) []string {
	var out []string
	var block []string
	inside := false
	for _, line := range strings.Split(text, "\n") {
		switch {
		case strings.HasPrefix(line, "```") && !inside:
			inside, block = true, nil
		case strings.HasPrefix(line, "```"):
			inside = false
			out = append(out, strings.Join(block, "\n"))
		case inside:
			block = append(block, line)
		}
	}
	return out
}

func TestBothReadmesShowTheSameCommands(t *testing.T) {
	english, chinese := fences(string(readFile(t, "README.md"))), fences(string(readFile(t, "README.zh.md")))
	if len(english) == 0 {
		t.Fatal("README.md shows no commands")
	}
	for i := range max(len(english), len(chinese)) {
		var a, b string
		if i < len(english) {
			a = english[i]
		}
		if i < len(chinese) {
			b = chinese[i]
		}
		if a != b {
			t.Errorf("block %d differs:\nREADME.md:\n%s\nREADME.zh.md:\n%s", i+1, a, b)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)#\s]+)[^)]*\)`)

// TestLinksLeadSomewhere follows the relative links of our pages.
func TestLinksLeadSomewhere(t *testing.T) {
	for _, name := range tracked(t) {
		if !strings.HasSuffix(name, ".md") || strings.Contains(name, "testdata/") {
			continue
		}
		for _, m := range link.FindAllStringSubmatch(string(readFile(t, name)), -1) {
			if strings.Contains(m[1], ":") {
				continue // to the web
			}
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(path.Join(path.Dir(name), m[1])))); err != nil {
				t.Errorf("%s links to %s, which does not exist", name, m[1])
			}
		}
	}
}

// TestNothingOfAWorkplaceIsNamed: neither home folders nor the package mirrors that
// this machine happens to use.
func TestNothingOfAWorkplaceIsNamed(t *testing.T) {
	private := regexp.MustCompile(`/(?:wo` + `rk/(?:main|shared|brief|\.\w+)|ro` + `ot/|ho` + `me/\w+/)`)
	hosts := mirrorHosts()
	for _, name := range tracked(t) {
		text := readFile(t, name)
		if !isText(text) {
			continue
		}
		for i, line := range strings.Split(string(text), "\n") {
			if found := private.FindString(line); found != "" {
				t.Errorf("%s:%d names a folder of one machine: %s", name, i+1, found)
			}
			for _, host := range hosts {
				if strings.Contains(line, host) {
					t.Errorf("%s:%d names the package mirror of this machine", name, i+1)
				}
			}
		}
	}
}

// mirrorHosts are the hosts of package mirrors in this machine's environment,
// without those that everyone has.
func mirrorHosts() []string {
	everyones := []string{"proxy.golang.org", "sum.golang.org", "pypi.org", "registry.npmjs.org", "localhost", "127.0.0.1"}
	var hosts []string
	for _, name := range []string{"GOPROXY", "GOSUMDB", "PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "NPM_CONFIG_REGISTRY", "npm_config_registry", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "HF_ENDPOINT"} {
		for _, part := range strings.FieldsFunc(os.Getenv(name), func(r rune) bool { return r == ',' || r == '|' || r == ' ' }) {
			u, err := url.Parse(part)
			if err == nil && u.Hostname() != "" && strings.Contains(u.Hostname(), ".") && !slices.Contains(everyones, u.Hostname()) {
				hosts = append(hosts, u.Hostname())
			}
		}
	}
	return hosts
}
