package cli

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lian/cli/ui"
	"lian/message"
)

var update = flag.Bool("update", false, "write docs/verbs.md")

func tree() *cobra.Command {
	return newRoot(&shared{lang: message.English, out: ui.New(message.English, false, io.Discard, io.Discard)})
}

// TestVerbsPage keeps docs/verbs.md equal to the command tree.
func TestVerbsPage(t *testing.T) {
	path := filepath.Join("..", "docs", "verbs.md")
	want := verbsPage(tree())
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run go generate ./cli", err)
	}
	if string(got) != want {
		t.Error("docs/verbs.md is not what the commands say; run go generate ./cli")
	}
}

// TestEveryCommandIsExplained: help in both languages, a place in the overview.
func TestEveryCommandIsExplained(t *testing.T) {
	placed := map[string]bool{"help": true, "wait": true} // wait is of the scripts
	for _, l := range links {
		if !message.Has(l.Key) {
			t.Errorf("message %s is missing", l.Key)
		}
		for _, name := range l.Verbs {
			placed[name] = true
		}
	}
	root := tree()
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if !message.Has(c.Short) {
			t.Errorf("%s: message %s is missing", c.CommandPath(), c.Short)
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(root)
	for _, c := range root.Commands() {
		if !placed[c.Name()] {
			t.Errorf("lian %s has no place in the overview; add it to links in overview.go", c.Name())
		}
	}
}

// TestEveryFlagIsTranslated: the English help is in the tag, the Chinese one in
// message/help*.yaml.
func TestEveryFlagIsTranslated(t *testing.T) {
	used := map[string]bool{}
	check := func(c *cobra.Command, flags *pflag.FlagSet) {
		flags.VisitAll(func(f *pflag.Flag) {
			if f.Name == "help" && c.HasParent() {
				return // cobra's own, shown as the root's
			}
			used[f.Usage] = true
			switch {
			case f.Usage == "":
				t.Errorf("%s --%s: has no help; add a help tag", c.CommandPath(), f.Name)
			case !message.HasHelp(f.Usage):
				t.Errorf("%s --%s: no Chinese help; add to message/help*.yaml:\n%q: …", c.CommandPath(), f.Name, f.Usage)
			}
		})
	}
	root := tree()
	check(root, root.PersistentFlags())
	for _, c := range commands(root) {
		check(c, c.LocalNonPersistentFlags())
	}
	for _, english := range message.HelpTexts() {
		if !used[english] {
			t.Errorf("message/help*.yaml: no flag has the help %q", english)
		}
	}
}

// TestTheReadmesShowCommandsThatExist checks every "lian VERB --flag" in them.
func TestTheReadmesShowCommandsThatExist(t *testing.T) {
	if !hasVerb(tree(), "serve") {
		t.Skip("needs the verbs of the chain")
	}
	call := regexp.MustCompile(`\bbin/lian( [^\n` + "`" + `]*)?`)
	for _, name := range []string{"README.md", "README.zh.md"} {
		text, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range call.FindAllString(string(text), -1) {
			words := strings.Fields(line)[1:]
			if len(words) == 0 || words[0] == "COMMAND" || strings.HasPrefix(words[0], ".") {
				continue
			}
			command, _, err := tree().Find(words)
			if err != nil || command.Name() == "lian" {
				t.Errorf("%s: %s: no such command", name, line)
				continue
			}
			for _, word := range words {
				flagName, isFlag := strings.CutPrefix(word, "--")
				flagName, _, _ = strings.Cut(flagName, "=")
				if isFlag && command.Flags().Lookup(flagName) == nil && command.InheritedFlags().Lookup(flagName) == nil {
					t.Errorf("%s: %s: no flag --%s", name, line, flagName)
				}
			}
		}
	}
}
