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

// tokenizerCommand is lian tokenizer train|encode|decode|compare|extend.
func tokenizerCommand() *cobra.Command {
	return family("tokenizer", "verb.tokenizer", tokenizerTrainCommand(), tokenizerEncodeCommand(), tokenizerDecodeCommand(), tokenizerCompareCommand(), tokenizerExtendCommand())
}

func tokenizerTrainCommand() *cobra.Command {
	var o step.VocabularyOptions
	return verb("train FILE...", "verb.tokenizer.train", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		v, err := step.TrainVocabulary(ctx, args, o, slow(out))
		if err == nil && v.Tokens < o.Vocab {
			out.Note("tokenizer.smaller", v.Tokens, o.Vocab)
		}
		if err == nil && v.TooLong > 0 {
			out.Note("tokenizer.too_long", v.TooLong, o.SentencePiece.MaxSentenceLength)
		}
		if err == nil && v.Reserved > 0 {
			out.Note("tokenizer.reserved", v.Reserved)
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
		encoder, err := step.NewTextEncoder(tok, o)
		if err != nil {
			return usageError{err}
		}
		if o.JSONL {
			return encoder.Lines(jsonInput(args[1:], out), out.Stdout())
		}
		text, err := textOrInput(args[1:], out)
		if err != nil {
			return err
		}
		texts := []string{text}
		if o.Lines {
			texts = strings.Split(text, "\n")
		}
		encoded, err := encoder.Texts(texts)
		if err != nil {
			return err
		}
		for _, e := range encoded {
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
				for _, ids := range append([][]int32{e.IDs}, e.Overflowing...) {
					fmt.Fprintln(out.Stdout(), commas(ids))
				}
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
	var o step.CompareOptions
	return verb("compare TOKENIZER...", "verb.tokenizer.compare", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		c, err := step.CompareTokenizers(ctx, args, o, slow(out))
		if err != nil || out.JSON {
			if err != nil {
				return err
			}
			return out.Result(c.Tokenizers)
		}
		return out.Result(comparison(c, out))
	})
}

func tokenizerExtendCommand() *cobra.Command {
	var o step.ExtendOptions
	return verb("extend MODEL OUT", "verb.tokenizer.extend", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		return out.Result(step.ExtendModel(ctx, args[0], args[1], o, slow(out)))
	})
}

// comparison is a table with a bar for each tokenizer and script.
func comparison(c *step.Comparison, out *ui.Out) ui.Table {
	t := ui.Table{Title: out.T("tokenizer.compared", c.File, ui.Bytes(int64(c.Bytes)))}
	t.Columns = []ui.Column{{Name: out.T("field.tokenizer")}, {Name: out.T("field.vocab"), Right: true}, {Name: out.T("tokenizer.all")}}
	longest := 0.0
	for _, s := range c.Scripts {
		t.Columns = append(t.Columns, ui.Column{Name: fmt.Sprintf("%s %.0f%%", out.T("script."+string(s.Script)), 100*s.Share)})
	}
	t.Columns = append(t.Columns, ui.Column{Name: out.T("field.mb_per_second"), Right: true}, ui.Column{Name: out.T("field.round_trip")})
	for _, row := range c.Tokenizers {
		longest = max(longest, row.BytesPerToken)
		for _, s := range row.Scripts {
			longest = max(longest, s.BytesPerToken)
		}
	}
	for _, row := range c.Tokenizers {
		cells := []string{row.Tokenizer, strconv.Itoa(row.Vocab), bar(row.BytesPerToken, longest)}
		for _, s := range row.Scripts {
			cells = append(cells, bar(s.BytesPerToken, longest))
		}
		back := out.T("ui.yes")
		if !row.RoundTrip {
			back = out.T("ui.no")
		}
		t.Rows = append(t.Rows, append(cells, ui.Number(row.MBPerSecond), back))
	}
	return t
}

// bar is a number and a bar of up to ten characters, in eighths.
func bar(x, longest float64) string {
	eighths := int(80*x/longest + 0.5)
	picture := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		picture += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return fmt.Sprintf("%.2f %s", x, picture)
}

// commas writes ids as --ids takes them.
func commas(ids []int32) string {
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = strconv.Itoa(int(id))
	}
	return strings.Join(parts, ",")
}
