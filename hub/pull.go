package hub

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"lian/event"
	"lian/machine"
	"lian/store"
)

// Options say where a model comes from and what of it is taken.
type Options struct {
	Hub         string   `yaml:"hub" help:"hub: huggingface, modelscope, openxlab, or a name of LIAN_HOME/hubs.yaml"`
	Endpoint    string   `yaml:"endpoint" help:"web address of the hub, such as a mirror's"`
	Token       string   `yaml:"token" help:"access token; better in HF_TOKEN, MODELSCOPE_API_TOKEN or hubs.yaml, where others do not see it"`
	Revision    string   `yaml:"revision" help:"branch, tag or commit"`
	File        string   `yaml:"file" help:"take this one file only, with the other parts where it is split"`
	Include     []string `yaml:"include" help:"take the files that match, such as '*.safetensors'; '*' is everything"`
	Exclude     []string `yaml:"exclude" help:"leave out the files that match"`
	DryRun      bool     `yaml:"dry_run" help:"show what would be downloaded, with sizes, and stop"`
	Connections int      `yaml:"connections" help:"requests at a time" default:"4" range:"1..64"`
	Retries     int      `yaml:"retries" help:"how often a request is tried again when the network or the hub fails" default:"8" range:"0..1000"`

	wait  func(ctx context.Context, d time.Duration, why error) error // in tests
	stall time.Duration
}

// Plan is what a pull will do.
type Plan struct {
	Name     string        `json:"name"` // what to pass as MODEL afterwards
	Dir      string        `json:"dir"`
	Hub      string        `json:"hub"`
	Endpoint string        `json:"endpoint"`
	Repo     string        `json:"repo"`
	Revision string        `json:"revision,omitempty"`
	Commit   string        `json:"commit,omitempty"`
	Licence  string        `json:"licence,omitempty"`
	Gated    bool          `json:"gated,omitempty"`
	Variant  string        `json:"variant,omitempty"` // that was taken although none was asked for
	Files    []PlannedFile `json:"files"`
	Left     []LeftOut     `json:"left_out,omitempty"`
	Bytes    int64         `json:"bytes"`   // of all files
	Missing  int64         `json:"missing"` // of which are to be downloaded
	Free     int64         `json:"free"`    // on the disk, 0 if not known

	client *client
	slots  chan struct{}
	stall  time.Duration
}

// PlannedFile is a file with how much of it is here.
type PlannedFile struct {
	File
	Have    int64  `json:"have"`
	checked string // of a file that is here
}

// Home is where models are pulled to, below LIAN_HOME.
func Home() string { return filepath.Join(store.Home(), "models") }

// KindWait is the kind of an event that tells of a pause before a request is tried again; its payload is a Wait.
const KindWait = "hub.wait"

// Wait is why a pull waits, and for how long.
type Wait struct {
	Seconds float64 `json:"seconds"`
	Why     string  `json:"why"`
}

// waiter pauses and tells so.
func (o Options) waiter(sink event.Sink) func(ctx context.Context, d time.Duration, why error) error {
	if o.wait != nil {
		return o.wait
	}
	return func(ctx context.Context, d time.Duration, why error) error {
		sink.Emit(KindWait, Wait{d.Seconds(), why.Error()})
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Prepare asks the hub what there is and decides what to take; it writes nothing.
func Prepare(ctx context.Context, name string, o Options, sink event.Sink) (*Plan, error) {
	if truth(os.Getenv("HF_HUB_OFFLINE")) {
		return nil, fmt.Errorf("HF_HUB_OFFLINE is set, which forbids the network; unset it to pull %s", name)
	}
	settings, err := ReadSettings()
	if err != nil {
		return nil, err
	}
	r, err := Parse(name, settings.names()...)
	if err != nil {
		return nil, err
	}
	if r.Web != "" {
		return prepareWeb(ctx, r, o, sink)
	}
	if o.Revision != "" && r.Revision != "" && o.Revision != r.Revision {
		return nil, fmt.Errorf("%s: the name says revision %s, --revision %s", name, r.Revision, o.Revision)
	}
	r.Revision = first(r.Revision, o.Revision)
	if err := r.check(name); err != nil {
		return nil, err
	}
	site, err := siteFor(r, o, settings)
	if err != nil {
		return nil, err
	}
	if r, err = r.long(site.kind); err != nil {
		return nil, err
	}
	c := newClient(site, o.Retries, o.waiter(sink))
	speaker := newSpeaker(c)
	listing, err := speaker.list(ctx, r.Repo, r.Revision)
	if err != nil {
		return nil, speaker.explain(err, r.Repo, r.Revision)
	}
	if err := checkFiles(listing.Files); err != nil {
		return nil, fmt.Errorf("%s on %s: %w", r.Repo, site.name, err)
	}
	chosen, err := choose(listing.Files, r, o)
	if err != nil {
		return nil, fmt.Errorf("%s on %s: %w", r.Repo, site.name, err)
	}
	p := &Plan{Name: r.local(), Dir: filepath.Join(Home(), filepath.FromSlash(r.folder())), Hub: site.name, Endpoint: site.endpoint, Repo: r.Repo, Revision: r.Revision,
		Commit: listing.Commit, Licence: listing.Licence, Gated: listing.Gated, Variant: chosen.variant, Left: chosen.left}
	if chosen.variant != "" {
		p.Name += ":" + chosen.variant
	}
	return p, p.prepare(ctx, c, o, chosen.files)
}

// prepareWeb is for a single file of any web server.
func prepareWeb(ctx context.Context, r Reference, o Options, sink event.Sink) (*Plan, error) {
	site := site{name: "web", kind: "web", endpoint: r.Web, token: o.Token}
	p := &Plan{Name: r.Web, Dir: filepath.Join(Home(), webFolder(r.Web)), Hub: site.name, Endpoint: r.Web, Repo: r.Web}
	if p.Dir == Home() || o.Revision != "" || o.File != "" || len(o.Include)+len(o.Exclude) > 0 {
		return nil, fmt.Errorf("%s: is a single file; --revision, --file, --include and --exclude are for models of a hub", r.Web)
	}
	file := File{Path: webFile(r.Web), Size: -1, url: r.Web}
	if err := checkPath(file.Path); err != nil {
		return nil, err
	}
	return p, p.prepare(ctx, newClient(site, o.Retries, o.waiter(sink)), o, []File{file})
}

// prepare finds out sizes and what is here.
func (p *Plan) prepare(ctx context.Context, c *client, o Options, files []File) error {
	p.client, p.slots, p.stall = c, make(chan struct{}, max(o.Connections, 1)), stallAfter
	if o.stall > 0 {
		p.stall = o.stall
	}
	pulled, err := ReadMark(p.Dir, PulledFile)
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.Size < 0 {
			if f.Size, err = p.client.size(ctx, f.url); err != nil {
				return fmt.Errorf("%s: %w", f.Path, err)
			}
		}
		planned := PlannedFile{File: f}
		final := p.path(f)
		info, err := os.Stat(final)
		switch old := pulled.of(f.Path); {
		case errors.Is(err, fs.ErrNotExist):
			planned.Have = partBytes(final, f, p.from())
		case err != nil:
			return err
		case !info.Mode().IsRegular():
			return fmt.Errorf("%s: is in the way; it is no file", final)
		case old != nil && info.Size() == f.Size && old.Size == f.Size && old.SHA256 == first(f.SHA256, old.SHA256) && old.Git == first(f.Git, old.Git):
			planned.Have, planned.checked = f.Size, old.Checked
		case info.Size() == f.Size: // whole perhaps, the mark was not written any more
			if planned.checked, err = checkFile(final, f); err == nil {
				planned.Have = f.Size
			} else if old == nil {
				return fmt.Errorf("%s: is here already, was not pulled by Lian, and differs from the hub's; move it away", final)
			}
		case old == nil:
			return fmt.Errorf("%s: is here already with %d bytes, was not pulled by Lian, and the hub's has %d; move it away", final, info.Size(), f.Size)
		}
		p.Bytes += f.Size
		p.Missing += f.Size - planned.Have
		p.Files = append(p.Files, planned)
	}
	p.Free = machine.FreeDisk(p.Dir)
	return nil
}

func checkFile(path string, f File) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	return check(file, f, func(int64) {})
}

func (p *Plan) path(f File) string { return filepath.Join(p.Dir, filepath.FromSlash(f.Path)) }

// from tells files without a checksum of different origin apart.
func (p *Plan) from() string { return p.Endpoint + " " + p.Repo + "@" + first(p.Commit, p.Revision) }

// size asks for a file's size by its first byte.
func (c *client) size(ctx context.Context, address string) (int64, error) {
	for attempt := 0; ; attempt++ {
		size, err := c.sizeOnce(ctx, address)
		if err == nil {
			return size, nil
		}
		if err := c.pause(ctx, attempt, err); err != nil {
			return 0, err
		}
	}
}

func (c *client) sizeOnce(ctx context.Context, address string) (int64, error) {
	r, err := c.send(ctx, "GET", address, nil, map[string][]string{"Range": {"bytes=0-0"}})
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	if r.StatusCode == 416 { // an empty file has no first byte
		return 0, nil
	}
	if _, _, total, ok := contentRange(r.Header.Get("Content-Range")); r.StatusCode == 206 && ok && total >= 0 {
		return total, nil
	}
	if r.StatusCode != 200 && r.StatusCode != 206 {
		return 0, statusError(r)
	}
	if r.ContentLength < 0 || r.StatusCode == 206 {
		return 0, permanent{fmt.Errorf("the server does not say how long the file is, so that nobody could tell whether it is whole")}
	}
	return r.ContentLength, nil
}

// Pull downloads what the plan lacks. What is whole stays when it is stopped, and the same plan made again goes on there.
func (p *Plan) Pull(ctx context.Context, sink event.Sink) (*Mark, error) {
	const spare = 16 << 20 // bytes that are not to be filled
	if p.Free > 0 && p.Missing > p.Free-spare {
		return nil, fmt.Errorf("%s: the disk has %s free, %s are to be downloaded; free some, or set LIAN_HOME to a folder on another disk", p.Dir, size(p.Free), size(p.Missing))
	}
	if err := os.MkdirAll(p.Dir, 0o777); err != nil {
		return nil, err
	}
	lock, err := store.Lock(p.Dir)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	mark := &Mark{Hub: p.Hub, Endpoint: p.Endpoint, Repo: p.Repo, Revision: p.Revision, Commit: p.Commit, Licence: p.Licence}
	pulling := *mark
	for _, f := range p.Files {
		pulling.Files = append(pulling.Files, MarkedFile{File: f.File})
	}
	if err := store.WriteJSON(filepath.Join(p.Dir, PullingFile), pulling); err != nil {
		return nil, err
	}
	old, err := ReadMark(p.Dir, PulledFile)
	if err != nil {
		return nil, err
	}
	if old != nil {
		mark.Files = old.Files
	}
	done, err := p.download(ctx, sink)
	for _, f := range done {
		mark.set(f)
	}
	mark.Finished = time.Now().UTC().Truncate(time.Second)
	if len(done) > 0 || err == nil { // also of a pull that was stopped: what is whole need not be read again
		err = errors.Join(err, store.WriteJSON(filepath.Join(p.Dir, PulledFile), mark))
	}
	if err != nil {
		return nil, err
	}
	for _, f := range p.Files { // a kill between a file's last name and its note's removal leaves the note
		data, note := partPaths(p.path(f.File))
		os.Remove(data)
		os.Remove(note)
	}
	err = os.Remove(filepath.Join(p.Dir, PullingFile))
	lock.Close()
	os.Remove(filepath.Join(p.Dir, ".lock")) // whoever has it now keeps it
	return mark, err
}

// download fetches every file; several at a time, as many requests in all as there are connections.
func (p *Plan) download(ctx context.Context, sink event.Sink) (done []MarkedFile, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	here := p.Bytes - p.Missing
	got := func(n int64) {
		mu.Lock()
		here += n
		now := here
		mu.Unlock()
		sink.Emit(event.KindProgress, event.Progress{Stage: "download", Done: now, Total: p.Bytes, Unit: "bytes"})
	}
	got(0)
	files := make(chan PlannedFile)
	var wait sync.WaitGroup
	for range cap(p.slots) {
		wait.Go(func() {
			for f := range files {
				marked, err := p.one(ctx, f, got)
				if err != nil {
					cancel(err)
					continue
				}
				mu.Lock()
				done = append(done, marked)
				mu.Unlock()
			}
		})
	}
	for _, f := range p.Files {
		select {
		case files <- f:
		case <-ctx.Done():
		}
	}
	close(files)
	wait.Wait()
	return done, context.Cause(ctx)
}

// one fetches one file and checks it; one that is not what the hub lists is fetched once more from its start.
func (p *Plan) one(ctx context.Context, f PlannedFile, got func(int64)) (MarkedFile, error) {
	if err := context.Cause(ctx); err != nil {
		return MarkedFile{}, err
	}
	if f.checked != "" {
		return MarkedFile{f.File, f.checked}, nil
	}
	final := p.path(f.File)
	if err := os.MkdirAll(filepath.Dir(final), 0o777); err != nil {
		return MarkedFile{}, err
	}
	for attempt := 0; ; attempt++ {
		part, err := openPart(final, f.File, p.from())
		if err != nil {
			return MarkedFile{}, err
		}
		before := part.have()
		t := &transfer{c: p.client, file: f.File, part: part, slots: p.slots, got: got, stall: p.stall}
		if err := t.run(ctx); err != nil {
			return MarkedFile{}, errors.Join(err, part.close())
		}
		checked, err := part.finish(t.file, func(int64) {})
		if err == nil {
			return MarkedFile{t.file, checked}, nil
		}
		if !errors.Is(err, errDiffers) || attempt > 0 || before == 0 {
			return MarkedFile{}, err
		}
		got(-f.Size) // what was here from before may have been torn by a power cut
	}
}

func webFile(address string) string {
	name, _, _ := strings.Cut(strings.TrimRight(address, "/"), "?")
	return path.Base(name)
}

// webFolder is HOST/… of a file's address, below which it lies.
func webFolder(address string) string {
	_, rest, _ := strings.Cut(address, "://")
	rest, _, _ = strings.Cut(rest, "?")
	clean := strings.Map(func(c rune) rune {
		if notInName(c) && c != '/' {
			return '-'
		}
		return c
	}, path.Dir(rest))
	if clean = path.Clean("/" + clean); clean == "/" {
		return ""
	}
	return filepath.FromSlash("web" + clean)
}

// size is a number of bytes for people.
func size(n int64) string {
	const unit = 1024
	if n < 10*unit*unit {
		return fmt.Sprintf("%.1f MiB", float64(n)/unit/unit)
	}
	if n < 10*unit*unit*unit {
		return fmt.Sprintf("%.0f MiB", float64(n)/unit/unit)
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/unit/unit/unit)
}
