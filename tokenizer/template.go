package tokenizer

import "fmt"

// Part is one part of a template: a text, or ids that stand between texts.
type Part struct {
	// Text is 1 for the first text, 2 for the second, 0 for IDs.
	Text int
	IDs  []int32
	// Type is the segment of the part (token_type_ids), Spill that of what overflows
	// from it: the reference gives a template's segments to what fits alone.
	Type, Spill int32
}

// Template is how the model takes one text or two, as the file's post-processor says;
// where it says nothing of two, each text has around it what a single one has, and
// the second is segment 1. Without special the texts stand alone.
func (t *Tokenizer) Template(two, special bool) []Part {
	parts := t.def.template(two)
	if special {
		return append([]Part(nil), parts...)
	}
	var bare []Part
	for _, p := range parts {
		if p.Text > 0 {
			p.Spill = int32(p.Text - 1)
			bare = append(bare, p)
		}
	}
	return bare
}

func (d *Definition) template(two bool) []Part {
	if two && d.Pair != nil {
		return d.Pair
	}
	if !two && d.Single != nil {
		return d.Single
	}
	parts := d.surrounded(1)
	if two {
		parts = append(parts, d.surrounded(2)...)
	}
	return parts
}

// surrounded is a text between Before and After.
func (d *Definition) surrounded(text int) []Part {
	kind := int32(text - 1)
	var parts []Part
	if len(d.Before) > 0 {
		parts = append(parts, Part{IDs: d.Before, Type: kind})
	}
	parts = append(parts, Part{Text: text, Type: kind, Spill: kind})
	if len(d.After) > 0 {
		parts = append(parts, Part{IDs: d.After, Type: kind})
	}
	return parts
}

// checkTemplates looks whether the ids of the templates are in the vocabulary.
func (t *Tokenizer) checkTemplates() error {
	for _, two := range []bool{false, true} {
		for _, p := range t.def.template(two) {
			for _, id := range p.IDs {
				if id < 0 || int(id) >= len(t.kind) || t.kind[id] == unused {
					return fmt.Errorf("post_processor: token %d is not in the vocabulary of %d", id, len(t.kind))
				}
			}
		}
	}
	return nil
}

// idsOf is the number of ids that a template puts between texts.
func idsOf(parts []Part) int {
	n := 0
	for _, p := range parts {
		n += len(p.IDs)
	}
	return n
}
