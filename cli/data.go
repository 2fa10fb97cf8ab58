package cli

import (
	"context"

	"github.com/spf13/cobra"

	"lian/chain/step"
	"lian/cli/ui"
)

func init() { register(dataCommand) }

// dataCommand is lian data run|shard.
func dataCommand() *cobra.Command {
	return family("data", "verb.data", dataRunCommand(), dataShardCommand())
}

// dataRunCommand is lian data run FOLDER...
func dataRunCommand() *cobra.Command {
	var o step.DataOptions
	return verb("run [FOLDER...]", "verb.data.run", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		if o.Output == "" {
			return usage("--output: needs a folder for documents.jsonl, heldout.jsonl, rejected.jsonl and report.json")
		}
		o.Input = append(o.Input, args...)
		report, err := step.Data(ctx, o.Output, o, out)
		out.Finish()
		return out.Result(report, err)
	})
}

// dataShardCommand is lian data shard IN OUT: a folder of cleaned documents to the two shards of a training, anything else to one set
// of token ids.
func dataShardCommand() *cobra.Command {
	var o step.TokensOptions
	return verb("shard IN OUT", "verb.data.shard", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		if step.IsDocuments(args[0]) {
			if o.Tokenizer == "" {
				return usage("--tokenizer: needs a tokenizer.json; lian tokenizer train makes one")
			}
			if o.Format != "" {
				return usage("--format: documents of lian data run become Lian's shards; convert those with --format")
			}
			report, err := step.Shards(args[0], o.Tokenizer, args[1], out)
			out.Finish()
			return out.Result(report, err)
		}
		report, err := step.ConvertTokens(ctx, args[0], args[1], o, out)
		out.Finish()
		return out.Result(report, err)
	})
}
