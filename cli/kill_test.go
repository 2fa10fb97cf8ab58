package cli

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lian/random"
	"lian/store"
)

// lian is a command of this test program run as lian, with so many processors.
func lian(threads int, args ...string) *exec.Cmd {
	c := exec.Command("lian", args...)
	c.Env = append(os.Environ(), fmt.Sprintf("GOMAXPROCS=%d", threads), "LIAN_LANG=en")
	return c
}

// TestKilledTrainingEndsInTheSameBytes: kill -9 at random steps, gone on with another number of threads each time. LIAN_LONG=1 kills
// twenty times.
func TestKilledTrainingEndsInTheSameBytes(t *testing.T) {
	if testing.Short() {
		t.Skip("trains")
	}
	kills, steps := 2, 60
	if os.Getenv("LIAN_LONG") != "" {
		kills, steps = 20, 400
	}
	work := t.TempDir()
	t.Setenv("LIAN_HOME", filepath.Join(work, "home"))
	documents := filepath.Join(work, "文档")
	if err := os.Mkdir(documents, 0o755); err != nil {
		t.Fatal(err)
	}
	r := random.New(5, "kill")
	words := strings.Fields("the old man sees river and mountain 春风 明月 again while it rains over 江南 a thousand li")
	for i := range 60 {
		var b strings.Builder
		for j := range 150 {
			b.WriteString(words[r.Int(i*1000+j, len(words))])
			b.WriteString([]string{" ", " ", ". ", "。\n"}[r.Int(i*1000+j+500, 4)])
		}
		if err := os.WriteFile(filepath.Join(documents, fmt.Sprintf("%d.txt", i)), []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run := func(threads int, data, out string) *exec.Cmd {
		return lian(threads, "pretrain", data, "--out", filepath.Join(work, out), "--vocabulary", "320", "--model.hidden", "32", "--model.layers", "2", "--model.heads", "2", "--model.kv-heads", "1",
			"--model.feed-forward", "64", "--model.context", "32", "--train.steps", fmt.Sprint(steps), "--step-tokens", "256", "--train.save-every", "7", "--looks", "2", "-q")
	}
	finish := func(c *exec.Cmd) {
		t.Helper()
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", c.Args, err, out)
		}
	}
	finish(run(2, documents, "whole"))
	shards := filepath.Join(work, "whole", "shards")
	events := filepath.Join(work, "killed", store.EventsFile)
	for k := range kills {
		c := run(1+k%2, shards, "killed")
		var said bytes.Buffer
		c.Stderr = &said
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- c.Wait() }()
		// a step of this part of the run, so that the kills are spread over all of it
		at := steps*k/kills + 1 + r.Int(90_000+k, max(steps/kills-2, 1))
		line := []byte(fmt.Sprintf(`"kind":"train.step","payload":{"step":%d,`, at))
	waiting:
		for {
			select {
			case err := <-ended:
				t.Fatalf("the run ended before step %d: %v\n%s", at, err, said.String())
			case <-time.After(time.Millisecond):
				if text, _ := os.ReadFile(events); bytes.Contains(text, line) {
					break waiting
				}
			}
		}
		time.Sleep(time.Duration(r.Int(95_000+k, 10)) * time.Millisecond) // anywhere in a step, or while a state is written
		if err := c.Process.Kill(); err != nil {
			t.Logf("kill %d: %v", k, err)
		}
		<-ended
	}
	finish(run(2, shards, "killed"))
	for _, file := range []string{"model/model.safetensors", fmt.Sprintf("state/%08d/optimizer.safetensors", steps), fmt.Sprintf("state/%08d/model.safetensors", steps)} {
		want, err := os.ReadFile(filepath.Join(work, "whole", filepath.FromSlash(file)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(work, "killed", filepath.FromSlash(file)))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: killed %d times, the bytes are others (%v)", file, kills, err)
		}
	}
	out, err := lian(1, "runs", "why", filepath.Join(work, "killed"), "5").CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("train.shard, byte")) {
		t.Errorf("runs why: %v\n%s", err, out)
	}
}
