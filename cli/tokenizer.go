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

// encodeOptions are the settings of lian tokenizer encode.
type encodeOptions struct {
	Special bool `yaml:"special" help:"recognise special tokens in the text"`
	Pieces  bool `yaml:"pieces" help:"show each token with its place"`
	Lines   bool `yaml:"lines" help:"each line is a text of its own"`
}

func tokenizerEncodeCommand() *cobra.Command {
	var o encodeOptions
	return verb("encode MODEL|FILE [TEXT]", "verb.tokenizer.encode", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		tok, err := step.OpenTokenizer(args[0])
		if err != nil {
			return err
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
			e := step.EncodeText(tok, text, o.Special)
			switch {
			case out.JSON:
				if !o.Pieces {
					e.Pieces = nil
				}
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

func tokenizerDecodeCommand() *cobra.Command {
	return verb("decode MODEL|FILE [IDS]", "verb.tokenizer.decode", nil, func(ctx context.Context, args []string, out *ui.Out) error {
		tok, err := step.OpenTokenizer(args[0])
		if err != nil {
			return err
		}
		text, err := textOrInput(args[1:], out)
		if err != nil {
			return err
		}
		ids, err := step.ParseIDs(text)
		if err != nil {
			return usageError{err}
		}
		decoded, err := step.DecodeIDs(tok, ids)
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
