package cli

import (
	"fmt"

	"lian/chain/step"
	"lian/cli/ui"
	"lian/event"
	"lian/train/mixture"
)

// dataTable shows what a training takes of its data, before it starts.
func dataTable(out *ui.Out) event.Sink {
	return event.Func(func(kind string, payload any) {
		rows, ok := payload.([]mixture.Statistics)
		if kind != step.KindData || !ok || out.Quiet {
			return
		}
		t := ui.Table{}
		for i, name := range step.DataColumns {
			t.Columns = append(t.Columns, ui.Column{Name: out.T("data.table." + name), Right: i > 0})
		}
		for _, s := range rows {
			t.Rows = append(t.Rows, []string{s.Domain, fmt.Sprint(s.Documents), fmt.Sprint(s.Dropped), count(s.Tokens), fmt.Sprintf("%.1f %%", 100*s.Share),
				count(s.Taken), fmt.Sprintf("%.3g", s.Epochs), fmt.Sprint(s.Cut), count(s.Padding)})
		}
		out.Finish()
		fmt.Fprint(out.Stderr(), t.String(0))
	})
}
