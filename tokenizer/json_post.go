package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
)

// around reads how the model takes one text or two, and whether places of tokens are
// told without the white space around them.
func (f *file) around(d *Definition, notes *[]string) error {
	single, pair := texts{{{Text: 1}}}, texts{{{Text: 1}}, {{Text: 2, Type: 1, Spill: 1}}}
	said := false
	for _, p := range sequence(f.postProcessor, "processors") {
		var err error
		switch kind := typeOf(p); kind {
		case "ByteLevel":
			b := byteLevelJSON{AddPrefixSpace: true, TrimOffsets: true}
			if err := strict(p, &b); err != nil {
				return fmt.Errorf("post_processor: %w", err)
			}
			d.TrimOffsets, d.KeepFirstSpace = d.TrimOffsets || b.TrimOffsets, b.AddPrefixSpace
			continue
		case "TemplateProcessing":
			var t templateJSON
			if err = strict(p, &t); err == nil {
				if single, err = t.apply(single); err == nil {
					pair, err = t.apply(pair)
				}
			}
		case "BertProcessing", "RobertaProcessing":
			r := marksJSON{}
			if err = strict(p, &r); err == nil {
				single, pair = r.apply(single), r.apply(pair)
			}
			if kind == "RobertaProcessing" {
				d.TrimOffsets = d.TrimOffsets || r.TrimOffsets == nil || *r.TrimOffsets
				d.KeepFirstSpace = r.AddPrefixSpace == nil || *r.AddPrefixSpace
			}
		default:
			return fmt.Errorf("post_processor: %q is not implemented", kind)
		}
		if err != nil {
			return fmt.Errorf("post_processor: %w", err)
		}
		said = true
	}
	if !said {
		return nil
	}
	d.Single, d.Pair = slices.Concat(single...), slices.Concat(pair...)
	seen := false
	for _, p := range d.Single {
		switch {
		case p.Text > 0 && seen:
			return fmt.Errorf("post_processor: single: the text itself (Sequence A) is there twice")
		case p.Text > 0:
			seen = true
		case seen:
			d.After = append(d.After, p.IDs...)
		default:
			d.Before = append(d.Before, p.IDs...)
		}
	}
	if !seen {
		return fmt.Errorf("post_processor: single: the text itself (Sequence A) is missing")
	}
	if len(d.Before)+len(d.After) > 0 {
		*notes = append(*notes, fmt.Sprintf("the file puts %d ids before and %d after a text; Encode does not, Around gives them", len(d.Before), len(d.After)))
	}
	return nil
}

// texts are what the post-processors before have made of one text or two; each is put
// after the one before it in the end.
type texts [][]Part

// segment is a text with all its parts in one segment.
func segment(parts []Part, kind int32) []Part {
	out := append([]Part(nil), parts...)
	for i := range out {
		out[i].Type = kind
	}
	return out
}

// marksJSON is BertProcessing or RobertaProcessing: marks that begin and end texts.
type marksJSON struct {
	Type           string   `json:"type"`
	Sep            tokenRef `json:"sep"`
	CLS            tokenRef `json:"cls"`
	TrimOffsets    *bool    `json:"trim_offsets"`
	AddPrefixSpace *bool    `json:"add_prefix_space"`
}

// apply is [CLS] A [SEP] B [SEP] for BERT; RoBERTa puts another [SEP] before B and
// knows no segments.
func (m *marksJSON) apply(in texts) texts {
	var out texts
	roberta := m.Type == "RobertaProcessing"
	for i, parts := range in {
		kind := int32(min(i, 1))
		if roberta {
			kind = 0
			parts = segment(parts, 0)
			for k := range parts {
				parts[k].Spill = 0
			}
		}
		whole := append([]Part(nil), parts...)
		if i == 0 {
			whole = slices.Insert(whole, 0, Part{IDs: []int32{m.CLS.id}})
		} else if roberta {
			whole = slices.Insert(whole, 0, Part{IDs: []int32{m.Sep.id}})
		}
		out = append(out, append(whole, Part{IDs: []int32{m.Sep.id}, Type: kind}))
	}
	return out
}

// tokenRef is ["[SEP]", 102].
type tokenRef struct{ id int32 }

func (r *tokenRef) UnmarshalJSON(data []byte) error {
	var text string
	pair := []any{&text, &r.id}
	if err := json.Unmarshal(data, &pair); err != nil || len(pair) != 2 {
		return fmt.Errorf("%.40s is not a token and its id", data)
	}
	return nil
}

// templateJSON is TemplateProcessing.
type templateJSON struct {
	Type          string         `json:"type"`
	Single        []templatePart `json:"single"`
	Pair          []templatePart `json:"pair"`
	SpecialTokens map[string]struct {
		ID     string   `json:"id"`
		IDs    []int32  `json:"ids"`
		Tokens []string `json:"tokens"`
	} `json:"special_tokens"`
}

// templatePart is a text or a special token of a template.
type templatePart struct {
	Sequence     *templateName `json:"Sequence"`
	SpecialToken *templateName `json:"SpecialToken"`
}

type templateName struct {
	ID     string `json:"id"`
	TypeID int32  `json:"type_id"`
}

// apply puts one text or two into the template.
func (t *templateJSON) apply(in texts) (texts, error) {
	field, parts := "single", t.Single
	if len(in) == 2 {
		field, parts = "pair", t.Pair
	} else if len(in) > 2 {
		return nil, fmt.Errorf("a TemplateProcessing comes after another with %d parts; 2 are the most", len(in))
	}
	var out texts
	for i, one := range parts {
		switch {
		case one.Sequence != nil && one.SpecialToken == nil:
			k := map[string]int{"A": 1, "B": 2}[one.Sequence.ID]
			if k == 0 || k > len(in) {
				return nil, fmt.Errorf("%s[%d]: Sequence %q is none of its texts", field, i, one.Sequence.ID)
			}
			out = append(out, segment(in[k-1], one.Sequence.TypeID))
		case one.SpecialToken != nil && one.Sequence == nil:
			token, ok := t.SpecialTokens[one.SpecialToken.ID]
			if !ok {
				return nil, fmt.Errorf("%s[%d]: %q is not in special_tokens", field, i, one.SpecialToken.ID)
			}
			out = append(out, []Part{{IDs: token.IDs, Type: one.SpecialToken.TypeID}})
		default:
			return nil, fmt.Errorf("%s[%d]: expected a Sequence or a SpecialToken", field, i)
		}
	}
	return out, nil
}
