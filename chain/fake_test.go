package chain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"lian/store/atomicfile"
)

// Small kinds to test the engine with.

type textConfig struct {
	Text  string   `yaml:"text" help:"what to write" default:"hello"`
	Times int      `yaml:"times" help:"how often" default:"1" range:"1..1000"`
	From  []string `yaml:"from" help:"folders to append"`
	File  string   `yaml:"file" help:"outside file to append"`
	Fail  string   `yaml:"fail" help:"file whose existence makes the step fail"`
}

func textKind(ran *[]string) Kind {
	k := NewKind("text", "1", "writes a text", func(ctx context.Context, c *Context, config *textConfig) error {
		if ran != nil {
			*ran = append(*ran, c.Step)
		}
		var b strings.Builder
		for range config.Times {
			fmt.Fprintln(&b, config.Text)
		}
		for _, dir := range config.From {
			text, err := os.ReadFile(filepath.Join(dir, "out.txt"))
			if err != nil {
				return err
			}
			b.Write(text)
		}
		if config.File != "" {
			text, err := os.ReadFile(config.File)
			if err != nil {
				return err
			}
			b.Write(text)
		}
		if config.Fail != "" {
			if _, err := os.Stat(config.Fail); err == nil {
				return errors.New("it does not work")
			}
		}
		if err := c.SetValue("length", b.Len()); err != nil {
			return err
		}
		if err := c.SetValue("lines", []string{"a", "b"}); err != nil {
			return err
		}
		if err := c.WriteCard(map[string]any{c.Step: b.Len()}); err != nil {
			return err
		}
		if err := atomicfile.WriteFile(c.Path("clock.txt"), []byte(time.Now().String())); err != nil {
			return err
		}
		return atomicfile.WriteFile(c.Path("out.txt"), []byte(b.String()))
	})
	k.Volatile = []string{"clock.txt"}
	k.Outside = func(config any) ([]string, error) { return []string{config.(*textConfig).File}, nil }
	return k
}

type slowConfig struct {
	Seed  uint64 `yaml:"seed" help:"seed" default:"1"`
	Parts int    `yaml:"parts" help:"parts to write" default:"20"`
	Pause int    `yaml:"pause" help:"milliseconds per part" default:"0"`
	After string `yaml:"after_dir" help:"folder to begin with"`
}

// slowKind is like training: a state that each part depends on, with a checkpoint
// after each part.
func slowKind(resumes bool) Kind {
	k := NewKind("slow", "1", "works in parts", func(ctx context.Context, c *Context, config *slowConfig) error {
		state, from := config.Seed, 0
		if text, err := os.ReadFile(c.Path("checkpoint.txt")); err == nil {
			if _, err := fmt.Sscan(string(text), &from, &state); err != nil {
				return err
			}
		}
		for part := from; part < config.Parts; part++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			state = state*6364136223846793005 + 1442695040888963407
			time.Sleep(time.Duration(config.Pause) * time.Millisecond)
			if err := atomicfile.WriteFile(c.Path("checkpoint.txt"), fmt.Appendf(nil, "%d %d", part+1, state)); err != nil {
				return err
			}
			if err := atomicfile.WriteFile(c.Path("card.json"), []byte("{}")); err != nil {
				return err
			}
		}
		return atomicfile.WriteFile(c.Path("out.txt"), fmt.Appendf(nil, "%d\n", state))
	})
	k.Resumes = resumes
	return k
}
