package grammar

import "fmt"

// shared is a share of a language of texts: different places have different texts, by length where each length modulo
// the number of places occurs, else by the last character.
func (a *algebra) shared(l *language, s share) (*language, error) {
	byLength := func(place int) *language {
		return a.intersect(l, a.sequence(a.repeat(a.repeat(a.any, s.of, s.of), 0, -1), a.repeat(a.any, place, place)))
	}
	key := fmt.Sprint(l.id, " ", s.of)
	all, known := a.byLength[key]
	if !known {
		all = true
		for place := range min(s.of, 64) {
			t, err := a.automaton(byLength(place))
			if err != nil {
				return nil, err
			}
			if t == nil {
				all = false
				break
			}
		}
		a.byLength[key] = all
	}
	if all {
		return byLength(s.place), nil
	}
	var last ranges
	for r := rune(0); r < 0x80; r++ {
		if int(r)%s.of == s.place {
			last = append(last, [2]rune{r, r})
		}
	}
	if s.place == 0 {
		last = append(last, [2]rune{0x80, allRunes[0][1]})
	}
	return a.intersect(l, a.sequence(a.anyText, a.one(normal(last)))), nil
}
