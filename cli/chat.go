package cli

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"lian/chain/step"
	"lian/cli/ui"
)

func init() { register(chatCommand) }

// chatCommand is lian chat MODEL.
func chatCommand() *cobra.Command {
	var o step.ChatOptions
	var turns []string // not a setting: a list of settings is split at commas
	command := verb("chat MODEL", "verb.chat", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		for i, p := range turns {
			if p == "-" {
				var err error
				if turns[i], err = readInput(out); err != nil {
					return err
				}
			}
		}
		c, err := step.OpenChat(args[0], o)
		if err != nil {
			return err
		}
		defer c.Close()
		if c.StandIn() != "" {
			out.Note("template.stand_in", c.Name(), c.StandIn())
		}
		t := talk{Chat: c, out: out, figures: len(turns) > 0}
		if len(turns) == 0 {
			return t.loop(ctx)
		}
		for _, p := range turns {
			if err := t.say(ctx, p); err != nil {
				return err
			}
		}
		return nil
	})
	command.Flags().StringArrayVarP(&turns, "prompt", "p", nil, "say this and stop after the answer, - for standard input; several are one conversation")
	return command
}

// talk is a conversation on the command line.
type talk struct {
	*step.Chat
	out     *ui.Out
	figures bool // how fast each reply came
}

// say is one turn: the answer comes as it is made, or as one JSON line.
func (t *talk) say(ctx context.Context, text string) error {
	if strings.TrimSpace(text) == "" {
		return usage("there is nothing to say: the text is empty")
	}
	show := func(piece string) { io.WriteString(t.out.Stdout(), piece) }
	if t.out.JSON {
		show = nil
	}
	r, err := t.Say(ctx, text, show)
	if err != nil {
		return err
	}
	if show != nil {
		show("\n")
	}
	if err := t.out.Line(r); err != nil {
		return err
	}
	if t.figures && ctx.Err() == nil {
		noteSpeed(t.out, r.Finish, r.PromptTokens, r.Tokens, r.Timings)
	}
	return ctx.Err()
}

// loop talks line by line until the input ends, /quit, or Ctrl-C while nothing is being said.
func (t *talk) loop(ctx context.Context) error {
	// Here Ctrl-C ends a reply first, so the root's handler, which ends the program, must not see it.
	signal.Reset(os.Interrupt)
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)

	file, ok := t.out.In.(*os.File)
	interactive := ok && term.IsTerminal(int(file.Fd()))
	if interactive {
		t.out.Note("chat.begin", t.Name())
	}
	lines := readLines(t.out.In)
	for {
		if interactive {
			io.WriteString(t.out.Stderr(), "\n> ")
		}
		var line input
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-interrupts:
			return nil
		case line = <-lines:
		}
		text := strings.TrimSpace(line.text)
		if text != "" {
			if quit, err := t.turn(ctx, text, interrupts, interactive); quit || err != nil {
				return err
			}
		}
		if line.err != nil {
			if errors.Is(line.err, io.EOF) {
				return nil
			}
			return line.err
		}
	}
}

// turn obeys a command, or says the text. Between people and a model, an error of one turn does not end the conversation.
func (t *talk) turn(ctx context.Context, text string, interrupts <-chan os.Signal, interactive bool) (quit bool, err error) {
	switch {
	case text == "/quit" || text == "/exit":
		return true, nil
	case text == "/reset":
		t.Reset()
		t.out.Note("chat.reset")
		return false, nil
	case text == "/help":
		t.out.Note("chat.help")
		return false, nil
	case strings.HasPrefix(text, "/"):
		t.out.Note("chat.unknown", text)
		return false, nil
	}
	reply, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		select {
		case <-interrupts:
			cancel()
		case <-done:
		}
	}()
	err = t.say(reply, text)
	close(done)
	stopped := reply.Err() != nil && ctx.Err() == nil
	cancel()
	switch {
	case stopped:
		t.out.Note("chat.stopped")
		return false, nil
	case err != nil && interactive && ctx.Err() == nil:
		t.out.Note("chat.error", err)
		return false, nil
	}
	return false, err
}

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
			lines <- input{text, err}
			if err != nil {
				return
			}
		}
	}()
	return lines
}
