package family_test

import (
	"slices"
	"testing"

	"lian/model/family"
)

// TestArchitecturesOfGGUFAreOpenedByOneFamily: of the families that share an architecture, all but one say which files are theirs.
func TestArchitecturesOfGGUFAreOpenedByOneFamily(t *testing.T) {
	always := map[string][]string{}
	for _, f := range family.All() {
		if g := f.GGUF(); g != nil && !g.WriteOnly && g.Reads == nil {
			always[g.Architecture] = append(always[g.Architecture], f.Name())
		}
	}
	for architecture, names := range always {
		if len(names) > 1 {
			t.Errorf("%s: %v would each open every file of it", architecture, names)
		}
	}
	if len(always) < 30 || !slices.Equal(always["gemma2"], []string{"gemma2"}) {
		t.Errorf("%d architectures: %v", len(always), always)
	}
}
