package talk

import (
	"bufio"
	"io"
	"strings"
)

// input is a line of text, or the end with what came before it.
type input struct {
	text string
	err  error
}

// readLines reads lines of any length in the background, so that Ctrl-C is heard while nothing is typed.
func readLines(in io.Reader) <-chan input {
	lines := make(chan input)
	go func() {
		r := bufio.NewReader(in)
		for {
			text, err := r.ReadString('\n')
			lines <- input{strings.TrimRight(text, "\r\n"), err}
			if err != nil {
				close(lines)
				return
			}
		}
	}()
	return lines
}
