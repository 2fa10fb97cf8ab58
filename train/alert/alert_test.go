package alert

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"lian/event"
)

// mailbox is a webhook that keeps what it gets.
func mailbox(t *testing.T, status int) (address string, bodies func() []string) {
	var mu sync.Mutex
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		got = append(got, string(body))
		mu.Unlock()
		w.WriteHeader(status)
		io.WriteString(w, "回答")
	}))
	t.Cleanup(server.Close)
	return server.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return got
	}
}

func TestAlertsArriveOnceInAWhileInTheShapeAskedFor(t *testing.T) {
	for shape, field := range map[string]string{"plain": `"kind":"train.refused"`, "feishu": `"msg_type":"text"`, "slack": `{"text":"lian: 运行`} {
		address, bodies := mailbox(t, 200)
		s := New(Options{Webhook: address, Shape: shape, Again: time.Hour}, "运行", []string{"train.refused", "train.hang"}, event.Discard)
		clock := time.Unix(0, 0)
		s.now = func() time.Time { return clock }
		for range 5 {
			s.Emit("train.refused", map[string]string{"reason": "损失"})
			s.Emit("train.step", 1)
		}
		s.Emit("train.hang", nil)
		clock = clock.Add(2 * time.Hour)
		s.Emit("train.refused", map[string]string{"reason": "再次"})
		s.Close()
		got := bodies()
		if len(got) != 3 {
			t.Fatalf("%s: %d alerts, expected 3: %q", shape, len(got), got)
		}
		for _, body := range got {
			if !json.Valid([]byte(body)) {
				t.Errorf("%s: %q is not JSON", shape, body)
			}
		}
		if !strings.Contains(got[0], field) || !strings.Contains(got[0], "损失") || !strings.Contains(got[2], "(5 times)") {
			t.Errorf("%s: %q", shape, got)
		}
	}
}

func TestACommandGetsTheText(t *testing.T) {
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip("needs tee")
	}
	file := filepath.Join(t.TempDir(), "text")
	s := New(Options{Command: []string{"tee", file}}, "r", []string{"k"}, event.Discard)
	s.Emit("k", "$(不是命令)")
	s.Close()
	if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), "$(不是命令)") {
		t.Errorf("the command got %q, %v", text, err)
	}
}

func TestWhatDoesNotArriveIsTold(t *testing.T) {
	address, _ := mailbox(t, 500)
	var failed []Failed
	sink := event.Func(func(kind string, payload any) { failed = append(failed, payload.(Failed)) })
	s := New(Options{Webhook: address, Command: []string{"false"}}, "r", []string{"k"}, sink)
	s.Emit("k", nil)
	s.Close()
	s.Emit("k", nil) // after closing, nothing
	if len(failed) != 2 || !strings.Contains(failed[0].Error, "500") || !strings.Contains(failed[0].Error, "回答") || failed[1].By != "command" {
		t.Errorf("told: %+v", failed)
	}
	for _, o := range []Options{{Webhook: "ftp://x"}, {Command: []string{"no-such-program-here"}}} {
		if o.Check() == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}
