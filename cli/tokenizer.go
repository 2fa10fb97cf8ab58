package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"lian/chain/step"
	"lian/cli/ui"
)

func init() { register(tokenizerCommand) }

// tokenizerCommand is lian tokenizer train|encode|decode|compare.
func tokenizerCommand() *cobra.Command {
	return family("tokenizer", "verb.tokenizer", tokenizerTrainCommand(), tokenizerEncodeCommand(), tokenizerDecodeCommand(), tokenizerCompareCommand())
}

func tokenizerTrainCommand() *cobra.Command {
	var o step.VocabularyOptions
	return verb("train FILE...", "verb.tokenizer.train", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		v, err := step.TrainVocabulary(ctx, args, o, slow(out))
		if err == nil && v.Tokens < o.Vocab {
			out.Note("tokenizer.smaller", v.Tokens, o.Vocab)
		}
		return out.Result(v, err)
	})
}

func tokenizerEncodeCommand() *cobra.Command {
	var o step.EncodeOptions
	return verb("encode MODEL|FILE [TEXT]", "verb.tokenizer.encode", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		tok, err := step.OpenTokenizer(args[0])
		if err != nil {
			return err
		}
		if o.JSONL {
			return step.EncodeLines(tok, jsonInput(args[1:], out), out.Stdout(), o)
		}
		text, err := textOrInput(args[1:], out)
		if err != nil {
			return err
		}
		texts := []string{text}
		if o.Lines {
			texts = strings.Split(text, "\n")
		}
		for _, text := range texts {
			e := step.EncodeText(tok, text, o)
			switch {
			case out.JSON:
				if err := out.Line(e); err != nil {
					return err
				}
			case o.Pieces:
				t := ui.Table{Columns: []ui.Column{{Name: "id", Right: true}, {Right: true}, {Right: true}, {Name: out.T("template.token")}}}
				for _, p := range e.Pieces {
					t.Rows = append(t.Rows, []string{strconv.Itoa(int(p.ID)), strconv.Itoa(p.Start), strconv.Itoa(p.End), strconv.QuoteToGraphic(p.Text)})
				}
				if err := out.Result(t); err != nil {
					return err
				}
			default:
				fmt.Fprintln(out.Stdout(), commas(e.IDs))
			}
		}
		return nil
	})
}

// jsonInput is the JSON lines of an argument or of standard input.
func jsonInput(args []string, out *ui.Out) io.Reader {
	if len(args) > 0 && args[0] != "-" {
		return strings.NewReader(args[0])
	}
	return out.In
}

func tokenizerDecodeCommand() *cobra.Command {
	var o step.DecodeOptions
	return verb("decode MODEL|FILE [IDS]", "verb.tokenizer.decode", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		tok, err := step.OpenTokenizer(args[0])
		if err != nil {
			return err
		}
		if o.JSONL {
			return step.DecodeLines(tok, jsonInput(args[1:], out), out.Stdout(), o)
		}
		text, err := textOrInput(args[1:], out)
		if err != nil {
			return err
		}
		ids, err := step.ParseIDs(text)
		if err != nil {
			return usageError{err}
		}
		decoded, err := step.DecodeIDs(tok, ids, o.SkipSpecial)
		if err != nil {
			return err
		}
		if out.JSON {
			return out.Result(struct {
				Text string  `json:"text"`
				IDs  []int32 `json:"ids"`
			}{decoded, ids})
		}
		_, err = io.WriteString(out.Stdout(), decoded+"\n")
		return err
	})
}

func tokenizerCompareCommand() *cobra.Command {
	return verb("compare FILE TOKENIZER...", "verb.tokenizer.compare", nil, func(ctx context.Context, args []string, out *ui.Out) error {
		return out.Result(step.CompareTokenizers(ctx, args[0], args[1:], slow(out)))
	})
}

// commas writes ids as --ids takes them.
func commas(ids []int32) string {
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = strconv.Itoa(int(id))
	}
	return strings.Join(parts, ",")
}
