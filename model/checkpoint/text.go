package checkpoint

import (
	"strings"

	"lian/format"
)

// Text is a container of a model for pictures and text as its language model alone: under the names that it would have by itself,
// without the other tensors.
type Text struct {
	format.Reader
	names []string
	as    map[string]string // the names in the file
	// Left are the names of the other tensors.
	Left []string
}

// NewText finds the language model's tensors of a container.
func NewText(r format.Reader) *Text {
	t := &Text{Reader: r, as: map[string]string{}}
	for _, stored := range r.Names() {
		if name := textName(stored); name != "" {
			t.names = append(t.names, name)
			t.as[name] = stored
		} else {
			t.Left = append(t.Left, stored)
		}
	}
	return t
}

// textName is the language model's own name of a stored tensor, empty for others.
func textName(stored string) string {
	for _, before := range []string{"model.language_model.", "model.text_model."} {
		if rest, ok := strings.CutPrefix(stored, before); ok {
			return "model." + rest
		}
	}
	if rest, ok := strings.CutPrefix(stored, "language_model."); ok {
		return rest
	}
	for _, own := range []string{"lm_head.", "model.embed_tokens.", "model.layers.", "model.norm."} {
		if strings.HasPrefix(stored, own) {
			return stored
		}
	}
	return ""
}

// Names implements format.Reader.
func (t *Text) Names() []string { return t.names }

// Info implements format.Reader.
func (t *Text) Info(name string) (format.Info, bool) {
	info, ok := t.Reader.Info(t.as[name])
	info.Name = name
	return info, ok
}

// Data implements format.Reader.
func (t *Text) Data(name string) ([]byte, error) { return t.Reader.Data(t.as[name]) }
