package cli

import (
	"lian/cli/board"
	"lian/cli/ui"
	"lian/event"
)

// watchOptions say how a training is watched. They decide nothing of what it makes.
type watchOptions struct {
	Plain bool   `yaml:"plain" help:"lines of text in place of the board, on a terminal too"`
	Web   string `yaml:"web" help:"show plots while it trains, on this port of this machine; 0 is a free one"`
}

// begin gives the sink for people, and what ends the watching.
func (o watchOptions) begin(dir string, out *ui.Out) (people event.Sink, end func(), err error) {
	people, end = event.Tee(noted{out}, trainingNotes(out)), func() {}
	if o.Web != "" {
		stop, err := beginPlots(o.Web, []string{dir}, out)
		if err != nil {
			return nil, nil, err
		}
		end = func() {
			if err := stop(); err != nil {
				out.Note("runs.web_ended", err)
			}
		}
	}
	if columns, _ := out.Size(); columns > 0 && !o.Plain && !out.Quiet {
		b, before := board.New(out, people), end
		people, end = b, func() { b.Close(); before() }
	}
	return people, end, nil
}
