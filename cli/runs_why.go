package cli

import (
	"context"

	"lian/chain/step"
	"lian/cli/ui"

	"github.com/spf13/cobra"
)

// runsWhyCommand is lian runs why RUN STEP: the documents that a training step learnt from, or was not allowed to.
func runsWhyCommand() *cobra.Command {
	return verb("why RUN STEP", "verb.runs.why", nil, func(ctx context.Context, args []string, out *ui.Out) error {
		dir, err := findRun(ctx, args[0], out)
		if err != nil {
			return err
		}
		w, err := step.WhyStep(ctx, dir, args[1])
		if err != nil || out.JSON {
			return out.Result(w, err)
		}
		if w.Refused {
			out.Say("runs.why.refused", w.Step)
		}
		t := ui.Table{Columns: []ui.Column{{}, {Right: true}, {Right: true}, {Right: true}, {}, {}}}
		for _, s := range w.Sequences {
			loss, mark := "—", ""
			if s.Loss != nil {
				loss = ui.Number(*s.Loss)
			}
			if s.Suspect {
				mark = "!"
			}
			domain := s.Name
			if domain == "" {
				domain = ui.Number(float64(s.Domain))
			}
			t.Rows = append(t.Rows, []string{mark + domain, ui.Number(float64(s.Document)), ui.Number(float64(s.First)), loss, s.Source, beginning(s.Text)})
		}
		out.Table(t)
		return nil
	})
}

// beginning is what fits of a text in a table; --json has all of it.
func beginning(text string) string {
	const most = 60
	runes := []rune(text)
	for i, r := range runes {
		if r < ' ' {
			runes[i] = ' '
		}
	}
	if len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return string(runes)
}
