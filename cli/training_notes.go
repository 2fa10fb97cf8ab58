package cli

import (
	"fmt"
	"strings"

	"lian/cli/ui"
	"lian/event"
	"lian/train"
)

// trainingNotes says on the screen what happens to a training beside its steps.
func trainingNotes(out *ui.Out) event.Sink {
	return event.Func(func(_ string, payload any) {
		switch e := payload.(type) {
		case train.RefusedEvent:
			var names []string
			for i, d := range e.Documents {
				if i == 4 {
					names = append(names, "…")
					break
				}
				names = append(names, strings.TrimSpace(fmt.Sprintf("%s %d %s", d.Name, d.Document, d.Source)))
			}
			out.Note("train.refused", e.Step, e.Reason, strings.Join(names, "; "), e.Answer, e.Skipped, e.To)
		case train.ResumedEvent:
			for _, p := range e.Passed {
				out.Note("train.passed", p.Path, p.Reason)
			}
			for _, t := range e.Told {
				out.Note("train.told", t)
			}
			if e.Path != "" {
				out.Note("train.resumed", e.Step, e.Path)
			}
		case train.SaveFailedEvent:
			out.Note("train.save_failed", e.Error, e.Last)
		case train.HangEvent:
			out.Note("train.hang", e.Step, e.Seconds, e.Median, e.File)
		case train.StopEvent:
			out.Note("train.stop", e.Step, e.File, e.What)
		}
	})
}
