package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"lian/chain/step"
	"lian/cli/ui"
)

func init() { register(benchCommand) }

// benchCommand is lian bench compute|model|tokenizer.
func benchCommand() *cobra.Command {
	return family("bench", "verb.bench", benchComputeCommand(), benchModelCommand(), benchTokenizerCommand())
}

func benchComputeCommand() *cobra.Command {
	var o step.BenchComputeOptions
	return verb("compute", "verb.bench.compute", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		return step.BenchCompute(ctx, o, showBench(out), slow(out))
	})
}

func benchModelCommand() *cobra.Command {
	var o step.BenchModelOptions
	return verb("model MODEL", "verb.bench.model", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		return step.BenchModel(ctx, args[0], o, showBench(out), slow(out))
	})
}

func benchTokenizerCommand() *cobra.Command {
	var o step.BenchTokenizerOptions
	return verb("tokenizer TOKENIZER...", "verb.bench.tokenizer", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		return step.BenchTokenizer(ctx, args, o, showBench(out), slow(out))
	})
}

// showBench prints a figure as soon as it is measured: a JSON line, or a line for people.
func showBench(out *ui.Out) func(step.Benched) error {
	return func(b step.Benched) error {
		if out.JSON {
			return out.Line(b)
		}
		if b.Runs == 0 { // named, not measured
			_, err := io.WriteString(out.Stdout(), b.Name+"\n")
			return err
		}
		line := fmt.Sprintf("%-32s %10s %-8s ± %s", b.Name, ui.Number(b.Value), b.Unit, ui.Number(b.Spread))
		for _, s := range b.Settings {
			if s.Name == "tokenizer" {
				line += fmt.Sprintf("  %v", s.Value)
			}
			if share, ok := s.Value.(float64); ok && s.Name == "share" {
				line += "  " + out.T("bench.share", 100*share)
			}
		}
		_, err := io.WriteString(out.Stdout(), line+"\n")
		return err
	}
}
