package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"lian/chain/step"
	"lian/cli/ui"
)

func init() { register(generateCommand) }

// generateCommand is lian generate MODEL -p TEXT.
func generateCommand() *cobra.Command {
	var o step.GenerateOptions
	o.Sample.MaxTokens = 256
	var texts, files []string // not settings: a list of settings is split at commas
	command := verb("generate MODEL", "verb.generate", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		prompts, err := generatePrompts(out, texts, files, o)
		if err != nil {
			return err
		}
		if o.Plan {
			return out.Result(step.PlanGenerate(args[0], prompts, o))
		}
		alone := len(prompts) == 1 && o.N <= 1 && o.Out == ""
		sink := slow(out)
		var show func(int, string)
		begun := false
		if alone && !out.JSON && o.Beams == 0 && o.Contrastive == 0 {
			sink = quiet
			show = func(_ int, piece string) {
				begun = true
				io.WriteString(out.Stdout(), piece)
			}
		}
		err = step.Generate(ctx, args[0], prompts, o, show, func(r step.Generated) error {
			switch {
			case out.JSON:
				return out.Line(r)
			case alone && begun:
				io.WriteString(out.Stdout(), "\n")
				begun = false
			case alone:
				io.WriteString(out.Stdout(), textOrIDs(r)+"\n")
			case o.N > 1:
				io.WriteString(out.Stdout(), out.T("generate.sample", r.Index+1, r.Sample+1, r.Prompt)+"\n"+textOrIDs(r)+"\n\n")
			default:
				io.WriteString(out.Stdout(), out.T("generate.prompt", r.Index+1, r.Prompt)+"\n"+textOrIDs(r)+"\n\n")
			}
			showLogProbs(out, "generate.logprobs_prompt", r.PromptLogProbs)
			showLogProbs(out, "generate.logprobs", r.LogProbs)
			out.Note("generate.speed", r.PromptTokens, r.Timings.PrefillTokensPS, r.Tokens, r.Timings.DecodeTokensPS, out.T("finish."+r.Finish))
			if r.Score != nil {
				out.Note("generate.score", *r.Score)
			}
			if r.Drafted > 0 {
				out.Note("generate.drafts", r.Drafted, r.Accepted)
			}
			return nil
		}, sink)
		if begun { // an interrupted line ends
			io.WriteString(out.Stdout(), "\n")
		}
		if err == nil && o.Out != "" {
			out.Finish()
			out.Note("generate.wrote", len(prompts)*max(o.N, 1), o.Out)
		}
		if o.Out != "" {
			return goesOn(err)
		}
		return err
	})
	command.Flags().StringArrayVarP(&texts, "prompt", "p", nil, "text to continue, - for standard input; several run at once")
	command.Flags().StringArrayVarP(&files, "file", "f", nil, "file with a text to continue; several run at once")
	return command
}

// generatePrompts are the prompts of the flags, or else standard input.
func generatePrompts(out *ui.Out, texts, files []string, o step.GenerateOptions) ([]step.Prompt, error) {
	kinds := 0
	for _, given := range []bool{len(texts)+len(files) > 0, len(o.IDs) > 0, o.Prompts != ""} {
		if given {
			kinds++
		}
	}
	if kinds > 1 {
		return nil, usage("-p and -f, --ids and --prompts exclude each other")
	}
	if in, ok := out.In.(*os.File); kinds == 0 && !(ok && ui.Width(in) > 0) {
		texts = []string{"-"}
	}
	switch {
	case len(o.IDs) > 0:
		return []step.Prompt{{IDs: o.IDs, Place: "--ids"}}, nil
	case o.Prompts == "-":
		return step.ReadPrompts("standard input", out.In)
	case o.Prompts != "":
		f, err := os.Open(o.Prompts)
		if err != nil {
			return nil, fmt.Errorf("--prompts: %w", err)
		}
		defer f.Close()
		return step.ReadPrompts(o.Prompts, f)
	}
	for i, text := range texts {
		if text == "-" {
			var err error
			if texts[i], err = readInput(out); err != nil {
				return nil, err
			}
		}
	}
	for _, name := range files {
		text, err := readFileOrInput(name, out)
		if err != nil {
			return nil, err
		}
		texts = append(texts, strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"))
	}
	if len(texts) == 0 || kinds == 0 && texts[0] == "" {
		return nil, usage("needs -p TEXT, -f FILE, --ids 1,2,3, --prompts FILE.jsonl, or a text on standard input")
	}
	return step.TextPrompts(texts...), nil
}

// textOrIDs is a reply, as ids where they stand for no text: the model has no tokenizer.
func textOrIDs(r step.Generated) string {
	if r.Text != "" {
		return r.Text
	}
	return strings.Join(strings.Fields(strings.Trim(fmt.Sprint(r.IDs), "[]")), ",")
}

// showLogProbs is a table of tokens with how likely they were, and what else was likely there.
func showLogProbs(out *ui.Out, title string, tokens []step.TokenLogProb) {
	if len(tokens) == 0 {
		return
	}
	value := func(t step.TokenLogProb) string {
		if t.LogProb == nil {
			return "–"
		}
		return fmt.Sprintf("%.4f", *t.LogProb)
	}
	table := ui.Table{Title: out.T(title), Columns: []ui.Column{{Name: "id", Right: true}, {Name: out.T("field.token")}, {Name: out.T("field.logprob"), Right: true}, {Name: out.T("field.top")}}}
	for _, t := range tokens {
		var top []string
		for _, x := range t.Top {
			name := fmt.Sprint(x.ID)
			if x.Text != "" {
				name = fmt.Sprintf("%q", x.Text)
			}
			top = append(top, name+" "+value(x))
		}
		table.Rows = append(table.Rows, []string{fmt.Sprint(t.ID), fmt.Sprintf("%q", t.Text), value(t), strings.Join(top, "  ")})
	}
	out.Table(table)
}
