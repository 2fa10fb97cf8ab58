//go:build unix

package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"lian/cli/screentest"
	data "lian/verify/shared"
)

// atTerminal starts lian at a terminal of its own.
func atTerminal(t *testing.T, home string, arguments ...string) (*screentest.Terminal, *exec.Cmd) {
	t.Helper()
	terminal := screentest.Open(t, 60, 20)
	c := exec.Command("lian", arguments...)
	c.Stdin, c.Stdout, c.Stderr = terminal.File, terminal.File, terminal.File
	c.Env = append(os.Environ(), "TERM=xterm-256color", "NO_COLOR=", "LIAN_LANG=en", "LIAN_HOME="+home)
	c.SysProcAttr = newSession()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill() })
	return terminal, c
}

func ended(t *testing.T, c *exec.Cmd) {
	t.Helper()
	if err := c.Wait(); err != nil {
		t.Errorf("%v: %v", c.Args, err)
	}
}

func TestAConversationAtATerminal(t *testing.T) {
	dir, err := tinyModel()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	terminal, c := atTerminal(t, home, "chat", dir, "--temperature", "0", "--max-tokens", "8")
	terminal.Await("talking with .*\n> ask something, or /help$")
	terminal.Type("the quick\x1b\rbrown fox\r") // two lines
	terminal.Await("> the quick\n  brown fox\n(.*\n)+.* tokens at .*/s, the first after .*")
	terminal.Type("/tok\t\r")
	terminal.Await("> /tokens\n.* tokens, 1 questions")
	terminal.Type("/undo\r")
	terminal.Await("taken back: the quick…")
	terminal.Type("/tokens\r")
	terminal.Await("> /tokens\n0 of 512 tokens, 0 questions")
	terminal.Type("/help\r")
	terminal.Await("/regenerate")
	terminal.Type("/sytem\r")
	terminal.Await("/sytem: no such command; did you mean /system")
	terminal.Type("/params temperature nine\r")
	terminal.Await("that did not work: /params temperature: ")
	terminal.Type("/edit\r")
	terminal.Await("that did not work: nothing was said yet")
	terminal.Type("\x04")
	ended(t, c)

	// what was asked is there the next time, up and up, and not for others
	terminal, c = atTerminal(t, home, "chat", dir, "--max-tokens", "4")
	terminal.Await("> ask something")
	terminal.Type(strings.Repeat("\x1b[A", 6) + "\x1b[A\x1b[A")
	terminal.Await("> the quick\n  brown fox$")
	terminal.Type("\x03") // Ctrl-C takes the text away, and again it leaves
	terminal.Await("> ask something[^\n]*$")
	terminal.Type("\x03")
	ended(t, c)
	if info, err := os.Stat(filepath.Join(home, "chat_history.jsonl")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the history: %v, %v", info, err)
	}
}

func TestCtrlCStopsAnAnswerAndKeepsWhatWasSaid(t *testing.T) {
	model := data.Path(t, "testdata", "models", "smollm2-135m-instruct-q4_1.gguf")
	terminal, c := atTerminal(t, t.TempDir(), "chat", model, "--temperature", "0")
	terminal.Await("> ask something")
	terminal.Type("Tell me a long story.\r")
	terminal.Await("long story.\n(.*\n)*.*[a-z]+ [a-z]+")
	terminal.Type("\x03")
	terminal.Await("ended: stopped\n> ask something[^\n]*$")
	terminal.Type("/tokens\r")
	terminal.Await("> /tokens\n.* 1 questions")
	terminal.Resize(70, 20)
	terminal.Type("/regenerate\r")
	terminal.Await("temperature is 0: the same answer comes again")
	terminal.Await("comes again\n(.*\n)*.*[a-z]+ [a-z]+")
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	terminal.Await("comes again\n(.*\n)*.*ended: stopped")
	terminal.Type("\x04")
	ended(t, c)
}
