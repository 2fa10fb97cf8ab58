package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"lian/chain"
	"lian/cli/ui"
	"lian/recipes"
)

func init() { register(demoCommand) }

// demoCommand is lian demo: recipes/demo.yaml with its dials as flags.
func demoCommand() *cobra.Command {
	var f runFlags
	var minutes float64
	var seed uint64
	var corpus string
	var command *cobra.Command
	command = verb("demo", "verb.demo", nil, func(ctx context.Context, _ []string, out *ui.Out) error {
		recipe, err := chain.Parse(recipes.Demo, "recipes/demo.yaml")
		if err != nil {
			return err
		}
		typed := "lian demo"
		if program := os.Args[0]; strings.ContainsRune(program, filepath.Separator) {
			typed = program + " demo"
		}
		for _, dial := range []struct{ name, value string }{
			{"minutes", strconv.FormatFloat(minutes, 'g', -1, 64)}, {"seed", strconv.FormatUint(seed, 10)}, {"corpus", corpus},
		} {
			if command.Flags().Changed(dial.name) {
				if err := recipe.Set(dial.name + "=" + dial.value); err != nil {
					return err
				}
				typed += " --" + dial.name + " " + quoted(dial.value)
			}
		}
		if corpus != "" {
			if _, err := os.Stat(corpus); err != nil {
				return fmt.Errorf("--corpus: %w; pass a folder of txt, md, html, jsonl, json, csv or source files", err)
			}
		}
		run := f
		if run.name == "" && corpus != "" {
			run.name = "demo-" + runName(corpus)
		}
		return run.run(ctx, recipe, typed+f.text(), out)
	})
	command.Flags().Float64Var(&minutes, "minutes", 10, "time for everything, on this machine")
	command.Flags().Uint64Var(&seed, "seed", 1, "seed of all randomness")
	command.Flags().StringVar(&corpus, "corpus", "", "folder of txt, md, html, jsonl, json, csv or source files, English or Chinese")
	f.bind(command)
	return command
}

// runName is a folder's name as part of a run's.
func runName(corpus string) string {
	absolute, err := filepath.Abs(corpus)
	if err != nil {
		absolute = corpus
	}
	clean := strings.Map(func(c rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, c) || c < ' ' {
			return '-'
		}
		return c
	}, filepath.Base(absolute))
	return strings.Trim(clean, " .-")
}
