package engine

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"lian/model"
	"lian/model/nn"
)

// open starts an engine whose keys outlive it in a folder.
func (w *world) open(t *testing.T, o Options) *Engine {
	t.Helper()
	e, err := New(w.b, w.m, w.tok, o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func keptIn(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "*"+fileEnding))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func diskWorlds(t *testing.T) map[string]*world {
	list := map[string]*world{"everything is kept": {}, "a window in some layers": {}, "windows in all layers": {}}
	for name, change := range map[string]func(*nn.Spec){"everything is kept": nil,
		"a window in some layers": func(s *nn.Spec) { s.Vary(func(l int, b *nn.Block) { b.Attention.Window = 45 * (l % 2) }) },
		"windows in all layers":   func(s *nn.Spec) { s.Vary(func(l int, b *nn.Block) { b.Attention.Window = 40 + 10*l }) }} {
		w := list[name]
		w.b, w.m, w.tok = tinyOn(t, change)
	}
	return list
}

func TestAnotherEngineTakesUpWhatIsOnDisk(t *testing.T) {
	for name, w := range diskWorlds(t) {
		for _, kv := range []model.KVType{model.KVBF16, model.KVF32, model.KVInt8, model.KVInt4} {
			t.Run(name+", "+string(kv), func(t *testing.T) {
				o := Options{KV: kv, CacheFolder: CacheFolder{CacheDir: t.TempDir()}}
				e := w.open(t, o)
				prompt := w.tok.Encode(strings.Repeat("问：链是什么？", 6))[:100]
				first := say(t, e, prompt, 20)
				turn := append(append(slices.Clone(prompt), first.IDs...), w.tok.Encode("!?")...)
				want := say(t, e, turn, 10)
				e.Close()
				again := w.open(t, o)
				defer again.Close()
				got := say(t, again, turn, 10)
				if !slices.Equal(got.IDs, want.IDs) || got.CachedTokens != want.CachedTokens || got.CachedTokens != 96 {
					t.Errorf("after a restart %v with %d tokens cached, before %v with %d", got.IDs, got.CachedTokens, want.IDs, want.CachedTokens)
				}
				if s := again.Stats().Disk; s.Read != 3 || s.Damaged != 0 || s.Reason != "" {
					t.Errorf("disk: %+v", s)
				}
			})
		}
	}
}

func TestWhatHadToMakeRoomIsReadBack(t *testing.T) {
	w := diskWorlds(t)["everything is kept"]
	e := w.open(t, Options{CacheTokens: 160, CacheFolder: CacheFolder{CacheDir: t.TempDir()}})
	defer e.Close()
	a, b := w.tok.Encode(strings.Repeat("a tree ", 18)), w.tok.Encode(strings.Repeat("bushes ", 18))
	first := say(t, e, a, 10)
	say(t, e, b, 10)
	for s := e.Stats(); s.Disk.Saved < s.Evicted; s = e.Stats() { // written beside the engine
		runtime.Gosched()
	}
	if again := say(t, e, a, 10); !slices.Equal(again.IDs, first.IDs) {
		t.Errorf("%v after %v", again.IDs, first.IDs)
	}
	if s := e.Stats(); s.Evicted == 0 || s.Disk.Read == 0 {
		t.Errorf("nothing was evicted, or nothing read back: %+v", s)
	}
}

func TestOtherNumbersDoNotReadEachOthersFiles(t *testing.T) {
	w, dir := diskWorlds(t)["everything is kept"], t.TempDir()
	prompt := w.tok.Encode(strings.Repeat("prompt ", 12))
	e := w.open(t, Options{CacheFolder: CacheFolder{CacheDir: dir}})
	say(t, e, prompt, 1)
	e.Close()
	other := diskWorlds(t)["everything is kept"]
	other.b, other.m, other.tok = tinyOn(t, func(s *nn.Spec) { s.Attention.RoPE.Theta = 9999 })
	for why, e := range map[string]*Engine{"float32": w.open(t, Options{CacheFolder: CacheFolder{CacheDir: dir}, KV: model.KVF32}), "exact": w.open(t, Options{CacheFolder: CacheFolder{CacheDir: dir}, Precision: model.Exact, KV: model.KVBF16}),
		"another model": other.open(t, Options{CacheFolder: CacheFolder{CacheDir: dir}})} {
		if r := say(t, e, prompt, 1); r.CachedTokens != 0 {
			t.Errorf("%s: %d tokens were cached", why, r.CachedTokens)
		}
		e.Close()
	}
}

// TestADamagedFileIsNeverBelieved: any byte changed, cut anywhere, in the place of another file.
func TestADamagedFileIsNeverBelieved(t *testing.T) {
	w, dir := diskWorlds(t)["everything is kept"], t.TempDir()
	o := Options{CacheFolder: CacheFolder{CacheDir: dir}}
	e := w.open(t, o)
	prompt := w.tok.Encode(strings.Repeat("0123456", 12))
	want := say(t, e, prompt, 10)
	e.Close()
	files := keptIn(t, dir)
	if len(files) != 2 {
		t.Fatalf("%d files were written, expected 2", len(files))
	}
	whole := map[string][]byte{}
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		whole[f] = content
	}
	change := func(f func(content []byte) []byte) func(string) []byte {
		return func(path string) []byte { return f(slices.Clone(whole[path])) }
	}
	cases := map[string]func(path string) []byte{
		"empty": change(func(c []byte) []byte { return nil }), "a header": change(func(c []byte) []byte { return c[:fileHeader] }),
		"cut": change(func(c []byte) []byte { return c[:len(c)-1] }), "longer": change(func(c []byte) []byte { return append(c, 0) }),
		"exchanged": func(path string) []byte {
			for other, content := range whole {
				if other != path {
					return content
				}
			}
			return nil
		}}
	for at := 0; at < len(whole[files[0]]); at += 131 {
		cases["byte "+string(rune('0'+at%10))] = change(func(c []byte) []byte { c[at%len(c)] ^= 4; return c })
	}
	for why, damage := range cases {
		for _, f := range files {
			if err := os.WriteFile(f, damage(f), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		e := w.open(t, o)
		r := say(t, e, prompt, 10)
		if s := e.Stats().Disk; !slices.Equal(r.IDs, want.IDs) || r.CachedTokens != 0 || s.Damaged == 0 || s.Reason == "" {
			t.Errorf("%s: the reply is %v (%d cached), expected %v; disk %+v", why, r.IDs, r.CachedTokens, want.IDs, s)
		}
		e.Close()
	}
}

func TestTheFolderStaysWithinItsBound(t *testing.T) {
	w, dir := diskWorlds(t)["everything is kept"], t.TempDir()
	e := w.open(t, Options{CacheFolder: CacheFolder{CacheDir: dir}})
	e.disk.most = int64(3*(e.blockBytes[0]+fileHeader+12)) + 5
	for _, text := range []string{"abcdefg", "hijklmn", "opqrstu", "vwxyz01"} {
		say(t, e, w.tok.Encode(strings.Repeat(text, 12)), 1)
	}
	e.Close()
	if n := len(keptIn(t, dir)); n != 3 {
		t.Errorf("%d files are there, expected 3", n)
	}
}

func FuzzDecodeKeys(f *testing.F) {
	d := &disk{bytes: []int{64, 32}, blocks: &blocks{windows: []int{0, 9}}}
	f.Add([]byte(fileMagic))
	f.Add(make([]byte, fileHeader+20))
	f.Fuzz(func(t *testing.T, content []byte) {
		if parts, err := d.decode(content, &node{}, &blockIDs{}); err == nil && len(parts) != 2 {
			t.Errorf("%d parts", len(parts))
		}
	})
}
