package history

// Figure is what a training came to, under a name and a unit ("", seconds, bytes, share).
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// Summary are the figures that a training is compared by, those that are known: steps, tokens, training (seconds), loss and bits_per_byte (of the last
// tenth of the steps), heldout (the last look) and heldout/DOMAIN, best_heldout, tokens_per_second, mfu,
// compute_share (what of the time of all steps was not spent waiting for data), memory (most).
func (s *Stage) Summary() (out []Figure) {
	n := len(s.Steps)
	if n == 0 {
		return nil
	}
	add := func(name string, v float64, unit string) {
		if v != 0 {
			out = append(out, Figure{name, v, unit})
		}
	}
	last := s.Steps[n-1]
	add("steps", float64(last.Step), "")
	add("tokens", float64(last.Tokens), "")
	add("training", s.Training, "seconds")
	list := s.Series(0)
	for _, name := range []string{"loss", "bits_per_byte"} {
		if x, ok := Find(list, name); ok {
			add(name, x.Last(), "")
		}
	}
	for _, part := range Parts(list, "bits_per_byte") {
		x, _ := Find(list, "bits_per_byte/"+part)
		add("bits_per_byte/"+part, x.Last(), "")
	}
	if h := len(s.HeldOut); h > 0 {
		add("heldout", s.HeldOut[h-1].BitsPerByte, "")
		for _, d := range s.HeldOut[h-1].Domains {
			add("heldout/"+d.Name, d.BitsPerByte, "")
		}
	}
	rows, seconds, waited, operations := 0.0, 0.0, 0.0, 0.0
	for _, x := range s.Steps {
		rows, seconds, waited, operations = rows+x.Rate*x.Seconds, seconds+x.Seconds, waited+x.Waited, operations+x.FLOPS*x.Seconds
	}
	if seconds > 0 {
		add("tokens_per_second", rows/seconds, "")
		if peak := s.Machine.PeakFLOPS; peak > 0 {
			add("mfu", operations/seconds/peak, "share")
		}
		add("compute_share", 1-waited/seconds, "share")
	}
	most := int64(0)
	for _, x := range s.Steps {
		if x.Detail != nil {
			most = max(most, x.Detail.Memory["peak"])
		}
	}
	add("memory", float64(most), "bytes")
	add("skipped", float64(last.Skipped), "")
	return out
}
