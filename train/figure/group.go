package figure

import "strings"

// Group is the group that a parameter's figures count to: embedding, attention, feed_forward, norms, head; with byLayer those of layers
// by their layer ("layer 3"). Adapters' parameters are named after the weight they change and belong where it does.
func Group(name string, byLayer bool) string {
	if layer, rest, ok := strings.Cut(afterLayers(name), "."); ok && rest != "" {
		switch {
		case byLayer:
			return "layer " + layer
		case strings.Contains(rest, "norm"):
			return "norms"
		case strings.HasPrefix(rest, "attention"):
			return "attention"
		}
		return "feed_forward"
	}
	switch {
	case strings.Contains(name, "norm"):
		return "norms"
	case strings.HasPrefix(name, "head"):
		return "head"
	}
	return "embedding"
}

// afterLayers is what follows "layers." in a name; empty if nothing does.
func afterLayers(name string) string {
	_, rest, _ := strings.Cut(name, "layers.")
	return rest
}
