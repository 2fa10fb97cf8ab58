package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"io"

	"github.com/spf13/cobra"

	"lian/chain/step"
	"lian/cli/ui"
	"lian/store/atomicfile"
)

func init() { register(embedCommand) }

// embedCommand is lian embed MODEL FILE. Vectors are for programs: they are JSON lines with --json and without.
func embedCommand() *cobra.Command {
	var o step.EmbedOptions
	return verb("embed MODEL FILE", "verb.embed", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		texts, err := textsOf(args[1], out)
		if err != nil {
			return err
		}
		work := func(to io.Writer) (*step.Embedding, error) {
			w := bufio.NewWriter(to)
			e := json.NewEncoder(w)
			e.SetEscapeHTML(false)
			r, err := step.Embed(ctx, args[0], texts, o, func(v step.Embedded) error { return e.Encode(v) }, slow(out))
			if err != nil {
				return nil, err
			}
			return r, w.Flush()
		}
		if o.Out == "" {
			r, err := work(out.Stdout())
			out.Finish()
			if err == nil {
				out.Note("embed.made", r.Texts, r.Dimensions, r.Pooling)
			}
			return err
		}
		f, err := atomicfile.Create(o.Out)
		if err != nil {
			return err
		}
		defer f.Abort()
		r, err := work(f)
		if err == nil {
			err = f.Commit()
		}
		out.Finish()
		if err == nil {
			out.Note("embed.wrote", r.Texts, r.Dimensions, r.Pooling, o.Out)
		}
		return err
	})
}

// textsOf are the texts of a file, or of standard input for "-".
func textsOf(name string, out *ui.Out) ([]step.Prompt, error) {
	if name == "-" {
		return step.ReadTexts("standard input", out.In)
	}
	return step.ReadTextFile(name)
}
