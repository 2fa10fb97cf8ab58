package cli

import (
	"context"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"lian/chain/step"
	"lian/cli/ui"
)

func init() { register(templateCommand) }

// templateCommand is lian template render.
func templateCommand() *cobra.Command {
	return family("template", "verb.template", templateRenderCommand())
}

func templateRenderCommand() *cobra.Command {
	var o step.TemplateOptions
	former := false // the flag's former name, without "add-"
	command := verb("render MODEL|FILE", "verb.template.render", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		if o.Messages == "" {
			return usage("--messages: needs a JSON file with the messages, or - for standard input")
		}
		o.GenerationPrompt = o.GenerationPrompt || former
		messages, err := readFileOrInput(o.Messages, out)
		if err != nil {
			return err
		}
		var tools []byte
		if o.Tools != "" {
			if tools, err = os.ReadFile(o.Tools); err != nil {
				return err
			}
		}
		r, err := step.RenderTemplate(args[0], messages, tools, o)
		if err != nil || out.JSON {
			return out.Result(r, err)
		}
		if r.StandIn != "" {
			out.Note("template.stand_in", args[0], r.StandIn)
		}
		if len(r.Unshown) > 0 {
			out.Note("template.no_tools")
		}
		io.WriteString(out.Stdout(), r.Text+"\n") // a result, which --quiet does not hide
		if len(r.Tokens) == 0 {
			out.Note("template.no_ids")
			return nil
		}
		t := ui.Table{Title: "\n" + out.T("template.tokens", len(r.Tokens)), Columns: []ui.Column{
			{Right: true}, {Name: "id", Right: true}, {Name: out.T("template.token")}, {Name: out.T("template.label")}, {Name: out.T("template.from")}}}
		for i, x := range r.Tokens {
			label := ""
			if x.Label {
				label = "✓"
			}
			t.Rows = append(t.Rows, []string{strconv.Itoa(i), strconv.Itoa(int(x.ID)), strconv.QuoteToGraphic(x.Text), label, x.From})
		}
		return out.Result(t)
	})
	command.Flags().BoolVar(&former, "generation-prompt", false, "end with the opening of an assistant's turn")
	if err := command.Flags().MarkHidden("generation-prompt"); err != nil {
		panic(err) // it was defined in the line before
	}
	return command
}
