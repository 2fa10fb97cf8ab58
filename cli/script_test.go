package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"lian/cli/ui"
	"lian/store"
)

func TestMain(m *testing.M) {
	register(waitCommand)
	testscript.Main(m, map[string]func(){
		"lian": func() { os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
		"makerun": func() { // makerun NAME KIND SETTINGS [SUMMARY]: a run in ./runs, done if it has a summary
			if err := makeRun(os.Args[1:]); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		},
	})
}

// waitCommand is "lian wait FILE": it makes the file and waits to be interrupted, as a verb that goes on or begins anew.
func waitCommand() *cobra.Command {
	var keeps bool
	command := verb("wait FILE", "verb.help", nil, func(ctx context.Context, args []string, out *ui.Out) error {
		if err := os.WriteFile(args[0], nil, 0o666); err != nil {
			return err
		}
		<-ctx.Done()
		err := fmt.Errorf("waiting: %w", ctx.Err())
		if keeps {
			return fmt.Errorf("kept: %w", goesOn(err))
		}
		return err
	})
	command.Flags().BoolVar(&keeps, "keeps", false, "")
	command.Hidden = true
	return command
}

func makeRun(args []string) error {
	r, err := store.NewRun(runsDir, args[0], args[1], []byte(args[2]+"\n"))
	if err != nil {
		return err
	}
	if len(args) > 3 {
		if err := r.Done(json.RawMessage(args[3])); err != nil {
			return err
		}
	}
	return r.Close()
}

// Scripts are in testdata/script. Besides the usual commands they have
//
//	status N lian …   runs lian and checks the exit status
//	await FILE        waits until FILE exists
//	lines N FILE      checks that each line of FILE is a JSON object, and how many
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			env.Setenv("LIAN_HOME", filepath.Join(env.WorkDir, "home"))
			env.Setenv("LIAN_LANG", "en")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"status": exitStatus,
			"lines":  jsonLines,
			"await":  awaitFile,
		},
	})
}

func exitStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND…")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := err.(interface{ ExitCode() int })
		if !ok {
			ts.Fatalf("%v: %v", args[1:], err)
		}
		got = exit.ExitCode()
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("%s: exit status %d, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}

func jsonLines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: lines N FILE")
	}
	text := strings.TrimSuffix(ts.ReadFile(args[1]), "\n")
	lines := strings.Split(text, "\n")
	if text == "" {
		lines = nil
	}
	for _, line := range lines {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			ts.Fatalf("%s: not a JSON object: %v: %s", args[1], err, line)
		}
	}
	if fmt.Sprint(len(lines)) != args[0] {
		ts.Fatalf("%s: %d lines, want %s", args[1], len(lines), args[0])
	}
}

func awaitFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await FILE")
	}
	path := ts.MkAbs(args[0])
	for range 1000 {
		if _, err := os.Stat(path); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("%s does not appear", args[0])
}
