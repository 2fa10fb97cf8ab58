package grammar

import "fmt"

// shared is a share of a language of texts: different places have different texts, by the last character where the last
// characters of its texts leave every remainder modulo the number of places, else by length.
func (a *algebra) shared(l *language, s share) (*language, error) {
	key := fmt.Sprint(l.id, " ", s.of)
	byLast, known := a.byLast[key]
	if !known {
		var err error
		if byLast, err = a.endsInAll(l, s.of); err != nil {
			return nil, err
		}
		a.byLast[key] = byLast
	}
	if !byLast {
		return a.intersect(l, a.sequence(a.repeat(a.repeat(a.any, s.of, s.of), 0, -1), a.repeat(a.any, s.place, s.place))), nil
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

// endsInAll reports whether texts of a language end in ASCII characters of every remainder. Texts of any characters are told apart
// by length instead, so that they may end in any.
func (a *algebra) endsInAll(l *language, of int) (bool, error) {
	t, err := a.automaton(l)
	if err != nil || t == nil {
		return false, err
	}
	met := make([]bool, of)
	for _, row := range t.next {
		for i, to := range row {
			if to < 0 || !t.accept[to] {
				continue
			}
			if t.atoms[i].contains('北') {
				return false, nil
			}
			for r := rune(0); r < 0x80; r++ {
				if t.atoms[i].contains(r) {
					met[int(r)%of] = true
				}
			}
		}
	}
	for _, ok := range met {
		if !ok {
			return false, nil
		}
	}
	return true, nil
}
