package chain

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lian/store"
)

const killRecipe = `
name: kill
steps:
  first: {uses: text, with: {times: 100}}
  train: {uses: slow, with: {pause: 2, parts: 30, after_dir: "${steps.first.out}"}}
  tune: {uses: slow, with: {pause: 2, parts: 20, seed: 2, after_dir: "${steps.train.out}"}}
  last: {uses: text, with: {from: ["${steps.train.out}", "${steps.tune.out}"]}}
`

func TestMain(m *testing.M) {
	if runs := os.Getenv("CHAIN_TEST_RUNS"); runs != "" { // the child that is killed
		r, err := Parse([]byte(killRecipe), "kill.yaml")
		if err == nil {
			_, err = Run(context.Background(), r, KindSet(textKind(nil), slowKind(os.Getenv("CHAIN_TEST_RESUMES") != "")),
				Options{Runs: runs, Every: 3 * time.Millisecond, Refresh: func(s Status) error {
					return store.WriteJSON(filepath.Join(s.Dir, "report.json"), s)
				}})
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestARunKilledAtAnyMomentIsCompletedWithTheSameBytes(t *testing.T) {
	for _, resumes := range []string{"", "1"} {
		whole := t.TempDir()
		if out, err := child(whole, resumes).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		want := contents(t, whole)
		random := rand.New(rand.NewPCG(1, uint64(len(resumes))))
		runs := t.TempDir()
		for kills := 0; ; {
			c := child(runs, resumes)
			var output strings.Builder
			c.Stderr = &output
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			// later and later, so that it ends also where nothing is resumed
			timer := time.AfterFunc(time.Duration(5+random.IntN(60)+kills*10)*time.Millisecond, func() { c.Process.Kill() })
			err := c.Wait()
			if !timer.Stop() && err != nil && output.Len() == 0 {
				kills++
				if kills > 60 {
					t.Fatal("it never ends")
				}
				continue
			}
			if err != nil {
				t.Fatalf("after %d kills: %v: %s", kills, err, output.String())
			}
			t.Logf("resumes %q: completed after %d kills", resumes, kills)
			break
		}
		got := contents(t, runs)
		if len(got) != len(want) {
			t.Errorf("files %v, want %v", got, want)
		}
		for name, text := range want {
			if got[name] != text {
				t.Errorf("%s differs between the killed run and the whole one: %q, want %q", name, got[name], text)
			}
		}
		left, err := filepath.Glob(filepath.Join(runs, "kill", ".old-*"))
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

func child(runs, resumes string) *exec.Cmd {
	c := exec.Command(os.Args[0], "-test.run=^$")
	c.Env = append(os.Environ(), "CHAIN_TEST_RUNS="+runs, "CHAIN_TEST_RESUMES="+resumes)
	return c
}

// contents are the outputs of all steps, by path.
func contents(t *testing.T, runs string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(runs, func(at string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		switch entry.Name() {
		case "out.txt", "checkpoint.txt":
			text, err := os.ReadFile(at)
			if err != nil {
				return err
			}
			relative, err := filepath.Rel(runs, at)
			files[filepath.ToSlash(relative)] = string(text)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
