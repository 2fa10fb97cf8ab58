package step

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"lian/train/mixture"
)

// parseMix reads "en=0.7,zh=0.3" and further mixtures as "; 0.8: en=0.2,zh=0.8".
func parseMix(text string) ([]mixture.Phase, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var out []mixture.Phase
	for i, part := range strings.Split(text, ";") {
		p := mixture.Phase{}
		if from, rest, ok := strings.Cut(part, ":"); ok {
			share, err := strconv.ParseFloat(strings.TrimSpace(from), 64)
			if err != nil {
				return nil, fmt.Errorf("mix: %q is no share of the run, expected a number from 0 to 1 before the colon", strings.TrimSpace(from))
			}
			p.From, part = share, rest
		} else if i > 0 {
			return nil, fmt.Errorf("mix: %q does not say when it starts; write 0.8: before it to start after 80 %% of the run", strings.TrimSpace(part))
		}
		weights, err := parseWeights("mix", part)
		if err != nil {
			return nil, err
		}
		p.Weights = weights
		out = append(out, p)
	}
	return out, nil
}

func parseWeights(setting, text string) (map[string]float64, error) {
	out := map[string]float64{}
	for _, field := range strings.Split(text, ",") {
		name, value, ok := strings.Cut(field, "=")
		name = strings.TrimSpace(name)
		w, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if !ok || err != nil || name == "" || !(w >= 0) {
			return nil, fmt.Errorf("%s: %q, expected DOMAIN=NUMBER", setting, strings.TrimSpace(field))
		}
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("%s: domain %s is there twice", setting, name)
		}
		out[name] = w
	}
	return out, nil
}

// epochBounds are the most epochs of domains.
type epochBounds struct {
	all float64
	by  map[string]float64
}

func parseEpochs(text string) (b epochBounds, err error) {
	if text = strings.TrimSpace(text); text == "" {
		return b, nil
	}
	if !strings.Contains(text, "=") {
		if b.all, err = strconv.ParseFloat(text, 64); err != nil || !(b.all > 0) {
			return b, fmt.Errorf("domain_epochs: %q, expected a number above 0, or DOMAIN=NUMBER", text)
		}
		return b, nil
	}
	b.by, err = parseWeights("domain_epochs", text)
	return b, err
}

func (b epochBounds) of(domain string) float64 {
	if n, ok := b.by[domain]; ok {
		return n
	}
	return b.all
}

// unused says which bound is of a domain that there is not.
func (b epochBounds) unused(domains []mixture.Domain) error {
	for name := range b.by {
		if !slices.ContainsFunc(domains, func(d mixture.Domain) bool { return d.Name == name }) {
			var names []string
			for _, d := range domains {
				names = append(names, d.Name)
			}
			return fmt.Errorf("domain_epochs: there is no domain %s; the data has %s", name, strings.Join(names, ", "))
		}
	}
	return nil
}
