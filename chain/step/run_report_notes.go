package step

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"lian/train/history"
	"lian/train/mixture"
)

// DataColumns are the names of what is told of each domain before training, as in the texts data.table.NAME.
var DataColumns = []string{"domain", "documents", "dropped", "tokens", "share", "taken", "epochs", "cut", "padding"}

// notes are the data and what happened on the way. Files of the run are named from its folder on: a report is read elsewhere.
func (w *reportWriter) notes(s *history.Stage, dir string) {
	folder := dir
	if whole, err := filepath.Abs(dir); err == nil {
		folder = whole
	}
	var happened []history.Note
	var data []mixture.Statistics
	for _, n := range s.Notes {
		if n.Kind != KindData || json.Unmarshal([]byte(n.Text), &data) != nil { // of a run that was resumed the last one holds
			happened = append(happened, n)
		}
	}
	if len(data) > 0 {
		w.say("### %s\n\n", w.t("runs.report.data"))
		heads := make([]string, len(DataColumns))
		for i, name := range DataColumns {
			heads[i] = w.t("data.table." + name)
		}
		w.table(heads...)
		for _, d := range data {
			w.row(d.Domain, fmt.Sprint(d.Documents), fmt.Sprint(d.Dropped), fmt.Sprint(d.Tokens), fmt.Sprintf("%.1f %%", 100*d.Share), fmt.Sprint(d.Taken),
				fmt.Sprintf("%.3g", d.Epochs), fmt.Sprint(d.Cut), fmt.Sprint(d.Padding))
		}
		w.say("\n")
	}
	if len(happened) > 0 {
		w.say("### %s\n\n", w.t("plot.notes"))
		w.table(w.t("plot.what"), w.t("plot.step"), "")
		for _, n := range happened {
			w.row(n.Kind, fmt.Sprint(n.Step), strings.ReplaceAll(n.Text, folder+string(filepath.Separator), ""))
		}
		w.say("\n")
	}
}

// yardstick is what counting bytes comes to, beside the last look at held-out text.
func (w *reportWriter) yardstick(s *history.Stage) {
	if len(s.HeldOut) == 0 {
		return
	}
	name := w.t("runs.report.yardstick", yardstickOrder)
	y := w.report.Yardstick
	if y == nil {
		if w.report.Missing != "" {
			w.row(name, w.report.Missing)
		}
		return
	}
	if y.Cut {
		name += ", " + w.t("runs.report.yardstick_cut", ByteSize(y.Counted))
	}
	w.row(name, fmt.Sprintf("%.4g", y.BitsPerByte))
	for _, d := range y.Domains {
		w.row(name+" · "+d.Name, fmt.Sprintf("%.4g", d.BitsPerByte))
	}
}
