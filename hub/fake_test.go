package hub

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"lian/event"
)

const fakeCommit = "0123456789abcdef0123456789abcdef01234567"

// fake is a hub that speaks all three interfaces, with a second host for large files, and that misbehaves on demand.
type fake struct {
	hub, cdn *httptest.Server
	files    map[string][]byte
	lfs      map[string]bool

	mu       sync.Mutex
	requests []string                                                             // METHOD host path Range
	leaked   []string                                                             // requests to the second host that carried a secret
	token    string                                                               // asked for, if not empty
	before   func(w http.ResponseWriter, r *http.Request, onCDN bool) (done bool) // misbehaves
	listed   func(name string, entry map[string]any)                              // lies
	perPage  int
}

func newFake(t *testing.T, files map[string][]byte) *fake {
	f := &fake{files: files, lfs: map[string]bool{}, perPage: 1000}
	for name, b := range files {
		f.lfs[name] = len(b) > 10_000
	}
	f.hub = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.serve(w, r, false) }))
	f.cdn = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.serve(w, r, true) }))
	t.Cleanup(f.hub.Close)
	t.Cleanup(f.cdn.Close)
	home := t.TempDir()
	for _, name := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN_PATH", "MODELSCOPE_API_TOKEN", "MODELSCOPE_CACHE",
		"MODELSCOPE_DOMAIN", "OPENXLAB_AK", "OPENXLAB_SK", "LIAN_HUB", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "HTTPS_PROXY", "https_proxy", "OLLAMA_MODELS", "XDG_CACHE_HOME"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", home)
	t.Setenv("LIAN_HOME", filepath.Join(home, "lian"))
	t.Setenv("HF_HOME", filepath.Join(home, "hf"))
	t.Setenv("HF_ENDPOINT", f.hub.URL)
	t.Setenv("MODELSCOPE_ENDPOINT", f.hub.URL)
	t.Setenv("OPENXLAB_ENDPOINT", f.hub.URL)
	return f
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request, onCDN bool) {
	f.mu.Lock()
	f.requests = append(f.requests, fmt.Sprint(r.Method, " ", map[bool]string{false: "hub", true: "cdn"}[onCDN], " ", r.URL.Path, " ", r.Header.Get("Range")))
	if onCDN && (r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" || strings.Contains(fmt.Sprint(r.Header), f.token) && f.token != "") {
		f.leaked = append(f.leaked, r.URL.Path)
	}
	before := f.before
	f.mu.Unlock()
	if before != nil && before(w, r, onCDN) {
		return
	}
	if onCDN {
		f.content(w, r, strings.TrimPrefix(r.URL.Path, "/cdn/"))
		return
	}
	if f.token != "" && !strings.Contains(r.URL.Path, "/open/") && r.Header.Get("Authorization") != "Bearer "+f.token && r.Header.Get("Authorization") != f.token {
		w.Header().Set("X-Error-Code", "GatedRepo")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	reply := func(v any) { json.NewEncoder(w).Encode(v) }
	switch p := r.URL.Path; {
	case p == "/api/models/o/m/revision/main":
		reply(map[string]any{"sha": fakeCommit, "gated": false, "cardData": map[string]any{"license": "apache-2.0"}})
	case strings.HasPrefix(p, "/api/models/o/m/revision/"):
		w.Header().Set("X-Error-Code", "RevisionNotFound")
		w.WriteHeader(http.StatusNotFound)
	case p == "/api/models/o/m/tree/"+fakeCommit:
		f.tree(w, r)
	case strings.HasPrefix(p, "/o/m/resolve/"+fakeCommit+"/"):
		f.content(w, r, strings.TrimPrefix(p, "/o/m/resolve/"+fakeCommit+"/"))
	case p == "/api/v1/models/o/m":
		reply(map[string]any{"Code": 200, "Data": map[string]any{"License": "Apache License 2.0"}})
	case p == "/api/v1/models/o/m/repo/files":
		var list []map[string]any
		for name, b := range f.files {
			sum := sha256.Sum256(b)
			entry := map[string]any{"Path": name, "Name": filepath.Base(name), "Type": "blob", "Size": len(b), "Sha256": hex.EncodeToString(sum[:])}
			if f.listed != nil {
				f.listed(name, entry)
			}
			list = append(list, entry)
		}
		reply(map[string]any{"Code": 200, "Success": true, "Data": map[string]any{"Files": append(list, map[string]any{"Path": "sub", "Type": "tree"})}})
	case p == "/api/v1/models/o/m/repo":
		f.content(w, r, r.URL.Query().Get("FilePath"))
	case strings.HasSuffix(p, "/getFileDownloadUrl"):
		links := map[string]any{}
		for name := range f.files {
			links[name] = map[string]any{"url": f.cdn.URL + "/cdn/" + name, "fileName": name, "hash": "d41d8cd98f00b204e9800998ecf8427e"}
		}
		reply(map[string]any{"msgCode": "10000", "data": map[string]any{"msgCode": "10000", "data": map[string]any{"modelNames": links, "filePaths": map[string]any{}}}})
	case strings.HasSuffix(p, "/open/auth"):
		reply(map[string]any{"msgCode": "10000", "data": map[string]any{"msgCode": "10000", "data": map[string]any{"nonce": "n0", "algorithm": "HmacSHA1"}}})
	case strings.HasSuffix(p, "/open/getJwt"):
		var ask struct{ AK, D string }
		json.NewDecoder(r.Body).Decode(&ask)
		mac := hmac.New(sha1.New, []byte("secret"))
		mac.Write([]byte("n0"))
		if ask.D != base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
			reply(map[string]any{"msgCode": "10000", "data": map[string]any{"msgCode": "20000", "msg": "wrong signature"}})
			return
		}
		reply(map[string]any{"msgCode": "10000", "data": map[string]any{"msgCode": "10000", "data": map[string]any{"jwt": f.token}}})
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// tree is Hugging Face's list of files, in pages.
func (f *fake) tree(w http.ResponseWriter, r *http.Request) {
	var names []string
	for name := range f.files {
		names = append(names, name)
	}
	slices.Sort(names)
	from, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
	to := min(from+f.perPage, len(names))
	list := []map[string]any{{"type": "directory", "path": "sub", "oid": "x"}}
	for _, name := range names[from:to] {
		b := f.files[name]
		blob := sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(b)), b...))
		entry := map[string]any{"type": "file", "path": name, "size": len(b), "oid": hex.EncodeToString(blob[:])}
		if f.lfs[name] {
			sum := sha256.Sum256(b)
			entry["lfs"] = map[string]any{"oid": hex.EncodeToString(sum[:]), "size": len(b), "pointerSize": 130}
		}
		if f.listed != nil {
			f.listed(name, entry)
		}
		list = append(list, entry)
	}
	if to < len(names) {
		next := *r.URL
		next.RawQuery = url.Values{"cursor": {strconv.Itoa(to)}}.Encode()
		w.Header().Set("Link", fmt.Sprintf("<%s%s>; rel=\"next\"", f.hub.URL, next.String()))
	}
	json.NewEncoder(w).Encode(list)
}

// content sends a file; the hub sends large ones to the second host.
func (f *fake) content(w http.ResponseWriter, r *http.Request, name string) {
	b, ok := f.files[name]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if f.lfs[name] && !strings.HasPrefix(r.URL.Path, "/cdn/") {
		sum := sha256.Sum256(b)
		w.Header().Set("X-Linked-Etag", `"`+hex.EncodeToString(sum[:])+`"`)
		http.Redirect(w, r, f.cdn.URL+"/cdn/"+name+"?X-Amz-Signature=geheim", http.StatusFound)
		return
	}
	http.ServeContent(w, r, name, time.Unix(1e9, 0), bytes.NewReader(b))
}

// ready is a Prepare whose waits take no time; they are noted.
func (f *fake) ready(t *testing.T, name string, o Options) (*Plan, *[]time.Duration, error) {
	t.Helper()
	if o.Connections == 0 {
		o.Connections, o.Retries = 4, max(o.Retries, 3)
	}
	waits := &[]time.Duration{}
	var mu sync.Mutex
	o.wait = func(ctx context.Context, d time.Duration, why error) error {
		mu.Lock()
		defer mu.Unlock()
		*waits = append(*waits, d)
		return ctx.Err()
	}
	p, err := Prepare(t.Context(), name, o, event.Discard)
	return p, waits, err
}

// pull does all of it and compares what is there then with what the hub holds.
func (f *fake) pull(t *testing.T, name string, o Options) (*Plan, *Mark) {
	t.Helper()
	p, _, err := f.ready(t, name, o)
	if err != nil {
		t.Fatal(err)
	}
	m, err := p.Pull(t.Context(), event.Discard)
	if err != nil {
		t.Fatal(err)
	}
	f.same(t, p)
	return p, m
}

func (f *fake) same(t *testing.T, p *Plan) {
	t.Helper()
	for _, x := range p.Files {
		got, err := os.ReadFile(p.path(x.File))
		if err != nil || string(got) != string(f.files[x.Path]) {
			t.Errorf("%s: is not what the hub holds (%v)", x.Path, err)
		}
	}
	filepath.WalkDir(p.Dir, func(path string, d os.DirEntry, err error) error {
		if strings.HasPrefix(filepath.Base(path), ".") {
			t.Errorf("%s is left over", path)
		}
		return err
	})
}

func (f *fake) count(part string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.requests {
		if strings.Contains(r, part) {
			n++
		}
	}
	return n
}
