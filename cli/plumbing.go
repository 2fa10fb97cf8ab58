package cli

import (
	"io"
	"os"
	"strings"
	"time"

	"lian/cli/ui"
	"lian/event"
)

// patience is how long a verb may take before it shows how far it is.
const patience = 2 * time.Second

// slow is a sink that shows progress once a verb has taken longer than patience.
func slow(out *ui.Out) event.Sink {
	begun := time.Now()
	return event.Func(func(kind string, payload any) {
		if time.Since(begun) > patience {
			out.Emit(kind, payload)
		}
	})
}

// quiet is a sink for verbs that show their work as they go.
var quiet = event.Discard

// readInput is all of standard input as text, without the line feed at its end.
func readInput(out *ui.Out) (string, error) {
	text, err := io.ReadAll(out.In)
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), err
}

// readFileOrInput is the content of a file, or of standard input for "-".
func readFileOrInput(name string, out *ui.Out) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(out.In)
	}
	return os.ReadFile(name)
}

// textOrInput is the argument if there is one, or else standard input.
func textOrInput(args []string, out *ui.Out) (string, error) {
	if len(args) > 0 && args[0] != "-" {
		return args[0], nil
	}
	return readInput(out)
}
