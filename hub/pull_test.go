package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lian/event"
)

var made sync.Map // what bytesOf has made

// bytesOf are n bytes that do not repeat.
func bytesOf(n int, seed byte) []byte {
	key := [2]int{n, int(seed)}
	if b, ok := made.Load(key); ok {
		return b.([]byte)
	}
	b := make([]byte, n)
	made.Store(key, b)
	x := uint32(seed) + 1
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

// aModel is a repository as hubs hold them, with one file of several spans.
func aModel() map[string][]byte {
	return map[string][]byte{
		"config.json": []byte(`{"architectures": ["LlamaForCausalLM"]}`), "model.safetensors": bytesOf(9<<20+12345, 1), "tokenizer.json": bytesOf(5000, 2),
		"README.md": []byte("# 模型\n"), "pytorch_model.bin": bytesOf(20_000, 3), "onnx/model.onnx": bytesOf(20_000, 4), "empty.txt": {}, "picture.png": bytesOf(100, 5),
	}
}

func TestAPullTakesOneSetOfWeightsAndSaysWhatItLeavesOut(t *testing.T) {
	f := newFake(t, aModel())
	p, m := f.pull(t, "o/m", Options{})
	if p.Name != "o/m" || p.Commit != fakeCommit || p.Licence != "apache-2.0" || len(p.Files) != 5 {
		t.Errorf("plan %+v", p)
	}
	left := 0
	for _, l := range p.Left {
		left += l.Files
	}
	if left != 3 {
		t.Errorf("left out %+v, want three files", p.Left)
	}
	if m.of("model.safetensors").Checked != "sha256" || m.of("config.json").Checked != "git" || m.Commit != fakeCommit {
		t.Errorf("mark %+v", m)
	}
	found, err := Find("o/m")
	if err != nil || found.Path != p.Dir || found.Source != "home" {
		t.Errorf("found %+v, %v", found, err)
	}
	before := len(f.requests)
	if p, _ := f.pull(t, "o/m", Options{}); p.Missing != 0 || len(f.requests)-before > 3 {
		t.Errorf("a second pull wants %d bytes and made %d requests", p.Missing, len(f.requests)-before)
	}
}

func TestATokenGoesToTheHubOnly(t *testing.T) {
	f := newFake(t, aModel())
	f.token = "hf_secret"
	for _, hub := range []string{"huggingface", "modelscope"} {
		t.Setenv("HF_TOKEN", f.token)
		t.Setenv("MODELSCOPE_API_TOKEN", f.token)
		f.pull(t, hub+":o/m", Options{})
		os.RemoveAll(Home())
	}
	t.Setenv("OPENXLAB_AK", "ak")
	t.Setenv("OPENXLAB_SK", "secret")
	f.pull(t, "openxlab:o/m", Options{})
	if len(f.leaked) > 0 || f.count("cdn") == 0 {
		t.Errorf("requests to the other host with a secret: %v", f.leaked)
	}
	t.Setenv("HF_TOKEN", "")
	_, _, err := f.ready(t, "o/m", Options{})
	if err == nil || !strings.Contains(err.Error(), "gated") || !strings.Contains(err.Error(), "HF_TOKEN") {
		t.Errorf("without a token: %v", err)
	}
	t.Setenv("OPENXLAB_SK", "wrong")
	if _, _, err = f.ready(t, "openxlab:o/m", Options{}); err == nil || !strings.Contains(err.Error(), "wrong signature") {
		t.Errorf("with a wrong key: %v", err)
	}
	t.Setenv("HF_TOKEN", f.token) // whoever pastes an address does not mean its host to have the token
	if _, _, err = f.ready(t, f.hub.URL+"/o/m/resolve/main/config.json", Options{}); err == nil {
		t.Error("a token went to a host that only a pasted address names")
	}
}

func TestEachHubIsReadByItsOwnInterface(t *testing.T) {
	for hub, checked := range map[string]string{"huggingface": "sha256", "modelscope": "sha256", "openxlab": "size", "hf": "sha256", "ms": "sha256"} {
		t.Run(hub, func(t *testing.T) {
			f := newFake(t, aModel())
			_, m := f.pull(t, hub+":o/m", Options{})
			if got := m.of("model.safetensors").Checked; got != checked {
				t.Errorf("checked by %q, want %q", got, checked)
			}
		})
	}
}

func TestConnectionsThatBreakAreTakenUpWhereTheyBroke(t *testing.T) {
	f := newFake(t, aModel())
	var cut atomic.Int32
	f.before = func(w http.ResponseWriter, r *http.Request, onCDN bool) bool {
		if onCDN && cut.Add(1) <= 7 {
			f.content(&cutter{ResponseWriter: w, left: 3_000_000}, r, strings.TrimPrefix(r.URL.Path, "/cdn/"))
			panic(http.ErrAbortHandler)
		}
		return false
	}
	f.pull(t, "o/m", Options{})
	if n := f.count("cdn /cdn/model.safetensors"); n > 20 {
		t.Errorf("%d requests for one file that broke seven times", n)
	}
}

// cutter sends so many bytes and no more.
type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(b []byte) (int, error) {
	n := min(len(b), c.left)
	c.left -= n
	if _, err := c.ResponseWriter.Write(b[:n]); err != nil || n < len(b) {
		return n, errors.Join(err, io.ErrShortWrite)
	}
	return n, nil
}

func TestAPullThatWasStoppedGoesOn(t *testing.T) {
	f := newFake(t, aModel())
	ctx, cancel := context.WithCancel(t.Context())
	p, _, err := f.ready(t, "o/m", Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Pull(ctx, event.Func(func(kind string, payload any) {
		if payload.(event.Progress).Done > 5<<20 {
			cancel()
		}
	}))
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if _, err := Find("o/m"); err == nil || !strings.Contains(err.Error(), "lian models pull huggingface:o/m") {
		t.Errorf("half a model is found: %v", err)
	}
	again, _, err := f.ready(t, "o/m", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if again.Missing > 8<<20 {
		t.Errorf("%d bytes are to be downloaded again of %d", again.Missing, again.Bytes)
	}
	var last int64
	if _, err := again.Pull(t.Context(), event.Func(func(_ string, payload any) { last = max(last, payload.(event.Progress).Done) })); err != nil {
		t.Fatal(err)
	}
	if last != again.Bytes {
		t.Errorf("progress ends at %d of %d", last, again.Bytes)
	}
	f.same(t, again)
}

func TestTornPiecesOfAnEarlierPullAreFetchedAgain(t *testing.T) {
	f := newFake(t, map[string][]byte{"config.json": []byte("{}"), "model.safetensors": bytesOf(5<<20, 1)})
	p, _, err := f.ready(t, "o/m", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(p.Dir, 0o777); err != nil {
		t.Fatal(err)
	}
	model := p.Files[0].File
	if model.Path != "model.safetensors" {
		model = p.Files[1].File
	}
	part, err := openPart(p.path(model), model, p.from())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.write(make([]byte, 2<<20), 0); err != nil { // noted, but a power cut lost the bytes
		t.Fatal(err)
	}
	part.close()
	f.pull(t, "o/m", Options{})
}

func TestServersThatCannotSendPartsSendAllOfIt(t *testing.T) {
	f := newFake(t, aModel())
	f.before = func(w http.ResponseWriter, r *http.Request, onCDN bool) bool {
		r.Header.Del("Range")
		return false
	}
	f.pull(t, "o/m", Options{})
	if n := f.count("cdn /cdn/model.safetensors"); n != 1 {
		t.Errorf("%d requests, want one", n)
	}
}

func TestAHubThatIsBusyIsAskedAgainWhenItSays(t *testing.T) {
	f := newFake(t, aModel())
	var n atomic.Int32
	f.before = func(w http.ResponseWriter, r *http.Request, onCDN bool) bool {
		switch n.Add(1) {
		case 1, 5:
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
		case 2, 4, 6:
			w.WriteHeader(http.StatusBadGateway)
		default:
			return false
		}
		return true
	}
	p, waits, err := f.ready(t, "o/m", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if (*waits)[0] != 7*time.Second {
		t.Errorf("waited %v first, the hub asked for 7 s", (*waits)[0])
	}
	if _, err := p.Pull(t.Context(), event.Discard); err != nil {
		t.Fatal(err)
	}
	f.same(t, p)
}

func TestAHubThatStaysBusyIsGivenUpWithAWord(t *testing.T) {
	f := newFake(t, aModel())
	f.before = func(w http.ResponseWriter, r *http.Request, _ bool) bool {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	if _, _, err := f.ready(t, "o/m", Options{}); err == nil || !strings.Contains(err.Error(), "1h0m0s") {
		t.Error(err)
	}
	f.before = func(w http.ResponseWriter, r *http.Request, _ bool) bool { w.WriteHeader(503); return true }
	if _, _, err := f.ready(t, "o/m", Options{}); err == nil || !strings.Contains(err.Error(), "tried 4 times") {
		t.Error(err)
	}
}

func TestADeadConnectionIsGivenUp(t *testing.T) {
	f := newFake(t, aModel())
	var n atomic.Int32
	f.before = func(w http.ResponseWriter, r *http.Request, onCDN bool) bool {
		if onCDN && n.Add(1) == 1 {
			<-r.Context().Done()
			return true
		}
		return false
	}
	f.pull(t, "o/m", Options{stall: 200 * time.Millisecond})
}

func TestAddressesThatExpireAreAskedForAgain(t *testing.T) {
	f := newFake(t, aModel())
	var n atomic.Int32
	f.before = func(w http.ResponseWriter, r *http.Request, onCDN bool) bool {
		if onCDN && n.Add(1)%3 == 0 {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	}
	p, _, err := f.ready(t, "o/m", Options{Connections: 1, Retries: 3})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Pull(t.Context(), event.Discard); err != nil {
		t.Fatal(err)
	}
	f.same(t, p)
}

// TestLiesAreRefused: each with what the error must name.
func TestLiesAreRefused(t *testing.T) {
	cases := []struct {
		why    string
		listed func(name string, entry map[string]any)
		before func(f *fake) func(w http.ResponseWriter, r *http.Request, onCDN bool) bool
		want   string
	}{
		{why: "another checksum in the list than at the address", want: "lists SHA-256", listed: func(name string, e map[string]any) {
			if l, ok := e["lfs"].(map[string]any); ok {
				l["oid"] = strings.Repeat("ab", 32)
			}
		}},
		{why: "another hash of a small file", want: "not what the hub lists", listed: func(name string, e map[string]any) {
			if name == "config.json" {
				e["oid"] = strings.Repeat("ab", 20)
			}
		}},
		{why: "a larger size", want: "do not agree", listed: func(name string, e map[string]any) {
			if l, ok := e["lfs"].(map[string]any); ok {
				l["size"] = l["size"].(int) + 1
			}
		}},
		{why: "a smaller size", want: "do not agree", listed: func(name string, e map[string]any) {
			if l, ok := e["lfs"].(map[string]any); ok {
				l["size"] = l["size"].(int) - 1
			}
		}},
		{why: "a size below nothing", want: "-5 bytes", listed: func(name string, e map[string]any) { e["size"] = -5; delete(e, "lfs") }},
		{why: "a name that leaves the folder", want: "not to be trusted", listed: func(name string, e map[string]any) {
			if name == "config.json" {
				e["path"] = "../../evil"
			}
		}},
		{why: "an absolute name", want: "not to be trusted", listed: func(name string, e map[string]any) { e["path"] = "/etc/passwd" }},
		{why: "a name with a backslash", want: "not to be trusted", listed: func(name string, e map[string]any) { e["path"] = `..\evil` }},
		{why: "one of our own names", want: "itself uses", listed: func(name string, e map[string]any) { e["path"] = PulledFile }},
		{why: "a name twice", want: "listed twice", listed: func(name string, e map[string]any) { e["path"] = "config.json" }},
		{why: "a file that is a folder too", want: "both as a file and as a folder", listed: func(name string, e map[string]any) {
			if name == "config.json" {
				e["path"] = "README.md/x"
			}
		}},
		{why: "a page instead of JSON", want: "expected JSON, found text/html", before: func(f *fake) func(http.ResponseWriter, *http.Request, bool) bool {
			return func(w http.ResponseWriter, r *http.Request, _ bool) bool {
				w.Header().Set("Content-Type", "text/html")
				io.WriteString(w, "<html>please sign in</html>")
				return true
			}
		}},
		{why: "a page instead of a file", want: "web page instead", before: func(f *fake) func(http.ResponseWriter, *http.Request, bool) bool {
			return func(w http.ResponseWriter, r *http.Request, onCDN bool) bool {
				if onCDN {
					w.Header().Set("Content-Type", "text/html; charset=utf-8")
					io.WriteString(w, "<html>")
				}
				return onCDN
			}
		}},
		{why: "a pointer instead of a file", want: "pointer of git-lfs", before: func(f *fake) func(http.ResponseWriter, *http.Request, bool) bool {
			return func(w http.ResponseWriter, r *http.Request, onCDN bool) bool {
				if onCDN {
					io.WriteString(w, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
				}
				return onCDN
			}
		}},
		{why: "other bytes than were asked for", want: "were asked for", before: func(f *fake) func(http.ResponseWriter, *http.Request, bool) bool {
			return func(w http.ResponseWriter, r *http.Request, onCDN bool) bool {
				if onCDN {
					w.Header().Set("Content-Range", "bytes 5-9/9000000")
					w.WriteHeader(206)
				}
				return onCDN
			}
		}},
		{why: "other content of the same size", want: "not what the hub lists", before: func(f *fake) func(http.ResponseWriter, *http.Request, bool) bool {
			return func(w http.ResponseWriter, r *http.Request, onCDN bool) bool {
				if onCDN {
					http.ServeContent(w, r, "x", time.Time{}, bytes.NewReader(make([]byte, 9<<20+12345)))
				}
				return onCDN
			}
		}},
		{why: "a list without end", want: "no end", before: func(f *fake) func(http.ResponseWriter, *http.Request, bool) bool {
			return func(w http.ResponseWriter, r *http.Request, onCDN bool) bool {
				if strings.Contains(r.URL.Path, "/tree/") {
					w.Header().Set("Link", fmt.Sprintf("<%s%s>; rel=\"next\"", f.hub.URL, r.URL.Path))
					io.WriteString(w, "[]")
					return true
				}
				return false
			}
		}},
		{why: "a list that goes on elsewhere", want: "another host", before: func(f *fake) func(http.ResponseWriter, *http.Request, bool) bool {
			return func(w http.ResponseWriter, r *http.Request, onCDN bool) bool {
				if strings.Contains(r.URL.Path, "/tree/") {
					w.Header().Set("Link", fmt.Sprintf("<%s/list>; rel=\"next\"", f.cdn.URL))
					io.WriteString(w, "[]")
					return true
				}
				return false
			}
		}},
		{why: "redirects without end", want: "redirects", before: func(f *fake) func(http.ResponseWriter, *http.Request, bool) bool {
			return func(w http.ResponseWriter, r *http.Request, onCDN bool) bool {
				if onCDN {
					http.Redirect(w, r, f.cdn.URL+r.URL.Path+"x", 302)
				}
				return onCDN
			}
		}},
	}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			f := newFake(t, map[string][]byte{"config.json": []byte("{}"), "model.safetensors": bytesOf(9<<20+12345, 1), "README.md": []byte("x")})
			f.listed = c.listed
			if c.before != nil {
				f.before = c.before(f)
			}
			p, _, err := f.ready(t, "o/m", Options{})
			if err == nil {
				_, err = p.Pull(t.Context(), event.Discard)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want one with %q", err, c.want)
			}
			if strings.Contains(err.Error(), "geheim") {
				t.Errorf("the error shows what signs an address: %v", err)
			}
			if _, err := Find("o/m"); err == nil {
				t.Error("what was refused is found as a model")
			}
			filepath.WalkDir(os.Getenv("HOME"), func(path string, d os.DirEntry, err error) error {
				if d.Name() == "evil" {
					t.Errorf("%s was written", path)
				}
				return err
			})
		})
	}
}

func TestAHugeAnswerIsCutOff(t *testing.T) {
	f := newFake(t, aModel())
	f.before = func(w http.ResponseWriter, r *http.Request, _ bool) bool {
		io.WriteString(w, `{"sha": "`)
		for range (mostJSON >> 20) + 2 {
			if _, err := w.Write(bytes.Repeat([]byte("a"), 1<<20)); err != nil {
				break
			}
		}
		return true
	}
	if _, _, err := f.ready(t, "o/m", Options{}); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Error(err)
	}
}

func TestAFullDiskIsSeenBefore(t *testing.T) {
	f := newFake(t, aModel())
	p, _, err := f.ready(t, "o/m", Options{})
	if err != nil {
		t.Fatal(err)
	}
	p.Free = 17 << 20
	if _, err := p.Pull(t.Context(), event.Discard); err == nil || !strings.Contains(err.Error(), "17 MiB free") {
		t.Error(err)
	}
	if _, err := os.Stat(p.Dir); err == nil {
		t.Error("the folder was begun")
	}
}

func TestFilesOfTheUserAreNotOverwritten(t *testing.T) {
	f := newFake(t, aModel())
	dir := filepath.Join(Home(), "o", "m")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{`{"mine": true}`, strings.Repeat("x", len(f.files["config.json"]))} {
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, _, err := f.ready(t, "o/m", Options{}); err == nil || !strings.Contains(err.Error(), "move it away") {
			t.Error(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), f.files["config.json"], 0o666); err != nil {
		t.Fatal(err)
	}
	f.pull(t, "o/m", Options{}) // the same bytes are taken as they are
}

func TestMirrorsThatKnowLessAreRead(t *testing.T) {
	for _, lacks := range []string{"/revision/", "/tree/"} {
		f := newFake(t, aModel())
		f.before = func(w http.ResponseWriter, r *http.Request, onCDN bool) bool {
			switch {
			case strings.Contains(r.URL.Path, lacks):
				w.WriteHeader(http.StatusNotFound)
			case strings.HasSuffix(r.URL.Path, "/tree/main"):
				f.tree(w, r)
			case r.URL.Path == "/api/models/o/m":
				io.WriteString(w, "{}")
			case strings.Contains(r.URL.Path, "/revision/main"):
				io.WriteString(w, `{"sha": "`+fakeCommit+`", "siblings": [{"rfilename": "config.json"}, {"rfilename": "model.safetensors", "size": 9449529}]}`)
			case strings.HasPrefix(r.URL.Path, "/o/m/resolve/main/"):
				f.content(w, r, strings.TrimPrefix(r.URL.Path, "/o/m/resolve/main/"))
			default:
				return false
			}
			return true
		}
		p, m := f.pull(t, "o/m", Options{})
		if m.of("model.safetensors").Checked != "sha256" {
			t.Errorf("without %s: %+v", lacks, p)
		}
	}
}

func TestProxiesOfTheEnvironmentAreUsed(t *testing.T) {
	for _, variable := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY"} {
		f := newFake(t, aModel()) // which is the proxy here: it is asked for whole addresses
		t.Setenv("HF_ENDPOINT", "http://hub.example.invalid")
		t.Setenv(variable, f.hub.URL)
		f.pull(t, "o/m", Options{})
		os.RemoveAll(Home())
		t.Setenv("NO_PROXY", "hub.example.invalid")
		if _, _, err := f.ready(t, "o/m", Options{}); err == nil {
			t.Errorf("%s: NO_PROXY is not heeded", variable)
		}
		t.Setenv("NO_PROXY", "")
	}
}

// TestMain lets the test binary be the process that TestAKilledPullGoesOn kills.
func TestMain(m *testing.M) {
	if name := os.Getenv("LIAN_TEST_PULL"); name != "" {
		p, err := Prepare(context.Background(), name, Options{Connections: 2, Retries: 3}, event.Discard)
		if err == nil {
			_, err = p.Pull(context.Background(), event.Discard)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestAKilledPullGoesOn kills the process at several points; the last one finishes, and no byte that was noted is asked for again.
func TestAKilledPullGoesOn(t *testing.T) {
	f := newFake(t, aModel())
	for attempt := range 4 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "LIAN_TEST_PULL=o/m")
		var sent atomic.Int64
		reached := make(chan struct{}, 1)
		f.mu.Lock()
		f.before = func(w http.ResponseWriter, r *http.Request, onCDN bool) bool {
			if !onCDN || attempt == 3 {
				return false
			}
			f.content(&counter{w, &sent, int64(attempt+1) * 1_500_000, reached}, r, strings.TrimPrefix(r.URL.Path, "/cdn/"))
			return true
		}
		f.mu.Unlock()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if attempt < 3 {
			<-reached
			cmd.Process.Kill()
			cmd.Wait()
			if _, err := Find("o/m"); err == nil {
				t.Fatal("half a model is found")
			}
			continue
		}
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	p, _, err := f.ready(t, "o/m", Options{})
	if err != nil || p.Missing != 0 {
		t.Fatalf("%d bytes are missing, %v", p.Missing, err)
	}
	f.same(t, p)
}

// TestWhatAKillLeftBesideAWholeFileGoes: killed after a file got its name and before the note of its pieces went.
func TestWhatAKillLeftBesideAWholeFileGoes(t *testing.T) {
	f := newFake(t, aModel())
	p, _ := f.pull(t, "o/m", Options{})
	_, note := partPaths(filepath.Join(p.Dir, "tokenizer.json"))
	if err := os.WriteFile(note, []byte("{}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	f.pull(t, "o/m", Options{})
}

// counter sends until so many bytes are out, says so, and hangs.
type counter struct {
	http.ResponseWriter
	sent    *atomic.Int64
	most    int64
	reached chan struct{}
}

func (c *counter) Write(b []byte) (int, error) {
	if c.sent.Add(int64(len(b))) > c.most {
		select {
		case c.reached <- struct{}{}:
		default:
		}
		return 0, io.ErrClosedPipe
	}
	return c.ResponseWriter.Write(b)
}

func TestPatternsAndRevisionsChoose(t *testing.T) {
	f := newFake(t, aModel())
	p, _ := f.pull(t, "o/m", Options{Include: []string{"*"}, Exclude: []string{"onnx/", "*.png"}})
	if len(p.Files) != 6 {
		t.Errorf("%d files", len(p.Files))
	}
	if _, _, err := f.ready(t, "o/m@nowhere", Options{}); err == nil || !strings.Contains(err.Error(), `no revision "nowhere"`) {
		t.Error(err)
	}
	if _, _, err := f.ready(t, "o/other", Options{}); err == nil || !strings.Contains(err.Error(), "there is no o/other") {
		t.Error(err)
	}
	if _, _, err := f.ready(t, "o/m", Options{Include: []string{"*.flac"}}); err == nil || !strings.Contains(err.Error(), "none of the 8 files") {
		t.Error(err)
	}
	if _, _, err := f.ready(t, "openxlab:o/m", Options{Revision: "v2"}); err == nil || !strings.Contains(err.Error(), "newest files only") {
		t.Error(err)
	}
	p, _ = f.pull(t, f.hub.URL+"/o/m/resolve/main/config.json", Options{})
	if len(p.Files) != 1 || p.Name != "o/m/config.json" {
		t.Errorf("by address: %+v", p)
	}
	f.files["x/model.gguf"] = bytesOf(3<<20, 9)
	web := f.cdn.URL + "/cdn/x/model.gguf"
	if p, _, err := f.ready(t, web, Options{}); err != nil {
		t.Error(err)
	} else if _, err := p.Pull(t.Context(), event.Discard); err != nil {
		t.Error(err)
	} else if place, err := Find(web); err != nil || !strings.HasSuffix(place.Path, "model.gguf") {
		t.Errorf("%v, %v", place, err)
	}
}
