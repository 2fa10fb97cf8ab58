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

// benchCommand is lian bench compute|model|train|tokenizer.
func benchCommand() *cobra.Command {
	return family("bench", "verb.bench", benchComputeCommand(), benchModelCommand(), benchTrainCommand(), benchTokenizerCommand())
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
		return step.BenchModel(ctx, args[0], o, showModelBench(out), slow(out))
	})
}

func benchTrainCommand() *cobra.Command {
	var o step.BenchTrainOptions
	return verb("train", "verb.bench.train", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		return step.BenchTrain(ctx, o, showBench(out), slow(out))
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
		if name := b.Setting("tokenizer"); name != nil {
			line += fmt.Sprintf("  %v", name)
		}
		for _, rate := range []struct{ name, unit string }{{"gflops", "GFLOP/s"}, {"gb_per_second", "GB/s"}} {
			if value, ok := b.Setting(rate.name).(float64); ok {
				line += fmt.Sprintf("  %s %s", ui.Number(value), rate.unit)
			}
		}
		if share, ok := b.Setting("share").(float64); ok {
			line += "  " + out.T("bench.share", 100*share)
		}
		if peak, ok := b.Setting("peak_rss_bytes").(int64); ok && peak > 0 {
			line += "  " + out.T("bench.memory", ui.Bytes(peak))
		}
		_, err := io.WriteString(out.Stdout(), line+"\n")
		return err
	}
}

// showModelBench is showBench with a line about the model before its figures.
func showModelBench(out *ui.Out) func(step.Benched) error {
	show, said := showBench(out), ""
	return func(b step.Benched) error {
		weights, _ := b.Setting("weight_bytes").(int64)
		about := out.T("bench.model", b.Setting("model"), b.Setting("type"), b.Setting("bits_per_weight"), b.Setting("parameters"),
			ui.Bytes(weights), b.Setting("threads"), b.Setting("kernels"), b.Setting("precision"), b.Setting("kv"))
		if about != said && !out.JSON {
			out.Print(about + "\n")
			said = about
		}
		return show(b)
	}
}
