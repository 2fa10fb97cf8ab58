package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	chunk     = 1 << 20  // what is noted as here
	leastSpan = 8 << 20  // asked for at once
	mostSpan  = 64 << 20 // asked for at once
)

// transfer downloads one file in spans, several at a time.
type transfer struct {
	c     *client
	file  File
	part  *part
	slots chan struct{} // requests at a time, over all files
	got   func(n int64) // bytes that are new here
	stall time.Duration // without a byte, after which a connection is given up
	mu    sync.Mutex
	at    string // where the hub sent us, for the next requests
	etag  string // of what is being read, to see that it stays the same
}

// run fetches what is missing. The first span is asked for alone, until the hub has shown that it sends parts of a file.
func (t *transfer) run(ctx context.Context) error {
	spans := t.part.missing(t.spanSize())
	if len(spans) == 0 {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wait sync.WaitGroup
	rest := sync.OnceFunc(func() {
		for _, s := range spans[1:] {
			wait.Go(func() {
				if err := t.span(ctx, s, nil); err != nil {
					cancel(err)
				}
			})
		}
	})
	if err := t.span(ctx, spans[0], rest); err != nil {
		cancel(err)
	} else {
		rest() // where the hub sent the whole file at once, nothing of it is missing any more
	}
	wait.Wait()
	return context.Cause(ctx)
}

func (t *transfer) spanSize() int64 {
	size := t.file.Size / int64(4*cap(t.slots))
	return min(max(size/chunk*chunk, leastSpan), mostSpan)
}

// span fetches the bytes of one span, as often as it takes.
func (t *transfer) span(ctx context.Context, s span, parts func()) error {
	for attempt := 0; ; attempt++ {
		s = t.part.rest(s)
		if s.from >= s.to {
			return nil
		}
		select {
		case t.slots <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		n, err := t.request(ctx, s, parts)
		<-t.slots
		if n > 0 {
			attempt = 0
		}
		if err == nil {
			attempt = -1
			continue
		}
		if err := t.c.pause(ctx, attempt, err); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return fmt.Errorf("%s: %w", t.file.Path, err)
		}
	}
}

// request asks once for a span and writes what comes. parts is called when the hub has shown that it sends parts of files.
func (t *transfer) request(ctx context.Context, s span, parts func()) (n int64, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(t.stall, func() { cancel(fmt.Errorf("no byte for %s", t.stall)) })
	defer watch.Stop()
	address, elsewhere := t.address()
	header := http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", s.from, s.to-1)}}
	response, err := t.c.send(ctx, http.MethodGet, address, nil, header)
	if err != nil {
		return 0, stalled(ctx, err)
	}
	defer response.Body.Close()
	if code := response.StatusCode; elsewhere && code >= 400 && code < 500 && code != http.StatusTooManyRequests {
		t.forget() // such addresses hold for some minutes only
		return 0, fmt.Errorf("%w; the hub is asked for a new address", errors.New(statusError(response).Error()))
	}
	if s.from, s.to, err = t.begins(response, s); err != nil {
		return 0, err
	}
	if response.StatusCode == http.StatusPartialContent && parts != nil {
		parts()
	}
	buffer := make([]byte, 256<<10)
	for s.from < s.to {
		k, err := response.Body.Read(buffer[:min(int64(len(buffer)), s.to-s.from)])
		watch.Reset(t.stall)
		if k > 0 {
			fresh, err := t.part.write(buffer[:k], s.from)
			if err != nil {
				return n, permanent{err}
			}
			t.got(fresh)
			s.from += int64(k)
			n += int64(k)
		}
		if err != nil && s.from < s.to {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return n, stalled(ctx, fmt.Errorf("cut off after %d bytes: %w", n, err))
		}
	}
	return n, nil
}

// stalled names the reason where it was our own watch that gave up.
func stalled(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// begins checks what an answer says of itself against the list, and gives the bytes of the file that its body holds.
func (t *transfer) begins(r *http.Response, s span) (from, to int64, err error) {
	size := t.file.Size
	if r.StatusCode != http.StatusOK && r.StatusCode != http.StatusPartialContent {
		if r.StatusCode == http.StatusRequestedRangeNotSatisfiable {
			return 0, 0, permanent{fmt.Errorf("the hub lists %d bytes and has none from %d on; its list and its files do not agree", size, s.from)}
		}
		return 0, 0, statusError(r)
	}
	if kind := r.Header.Get("Content-Type"); strings.HasPrefix(kind, "text/html") && !strings.HasPrefix(path.Ext(t.file.Path), ".htm") {
		return 0, 0, permanent{fmt.Errorf("the hub sends a web page instead of the file; does a proxy or a sign-in page stand between?")}
	}
	if r.StatusCode == http.StatusOK { // the whole file, whatever was asked for
		if r.ContentLength >= 0 && r.ContentLength != size {
			return 0, 0, permanent{fmt.Errorf("the hub lists %d bytes and sends %d%s", size, r.ContentLength, pointer(r))}
		}
		return 0, size, t.same(r)
	}
	at, last, total, ok := contentRange(r.Header.Get("Content-Range"))
	switch {
	case !ok || at != s.from || last >= s.to || last < at:
		return 0, 0, permanent{fmt.Errorf("bytes %d to %d were asked for, the hub sends %q", s.from, s.to-1, r.Header.Get("Content-Range"))}
	case total >= 0 && total != size:
		return 0, 0, permanent{fmt.Errorf("the hub lists %d bytes and sends a file of %d%s", size, total, pointer(r))}
	}
	return at, last + 1, t.same(r)
}

// pointer tells of the likeliest reason for a file of another size.
func pointer(r *http.Response) string {
	const begins = "version https://git-lfs"
	head := make([]byte, len(begins))
	if n, _ := io.ReadFull(r.Body, head); string(head[:n]) == begins {
		return ": a pointer of git-lfs instead of the file it stands for; this hub does not serve large files at this address"
	}
	return "; its list and its files do not agree"
}

// same notes where the hub sent us and what its addresses say of the file, and refuses a file that changes on the way.
func (t *transfer) same(r *http.Response) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.at == "" && r.Request.URL.String() != t.file.url {
		t.at = r.Request.URL.String()
	}
	etag := r.Header.Get("ETag")
	for hop := r; hop != nil; hop = hop.Request.Response { // the hub itself speaks before it sends us on
		linked := hop.Header.Get("X-Linked-Etag")
		if sum := hexHash(linked, 64); sum != "" {
			if t.file.SHA256 != "" && t.file.SHA256 != sum {
				return permanent{fmt.Errorf("the hub lists SHA-256 %.12s… and sends a file of %.12s…", t.file.SHA256, sum)}
			}
			t.file.SHA256 = sum
		}
	}
	if t.file.SHA256 == "" && t.file.Git == "" {
		switch {
		case hexHash(etag, 64) != "":
			t.file.SHA256 = hexHash(etag, 64)
		case t.etag != "" && etag != t.etag:
			return permanent{fmt.Errorf("the file changed at the hub during the download; the same command begins it anew")}
		}
		t.etag = etag
	}
	return nil
}

// address is where to ask next, and whether that is where the hub sent us.
func (t *transfer) address() (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.at != "" {
		return t.at, true
	}
	return t.file.url, false
}

func (t *transfer) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at = ""
}

// contentRange reads "bytes 0-99/1000"; total is −1 where it is "*".
func contentRange(text string) (from, last, total int64, ok bool) {
	rest, ok := strings.CutPrefix(text, "bytes ")
	span, all, found := strings.Cut(rest, "/")
	a, b, dash := strings.Cut(span, "-")
	if !ok || !found || !dash {
		return 0, 0, 0, false
	}
	from, err1 := strconv.ParseInt(a, 10, 64)
	last, err2 := strconv.ParseInt(b, 10, 64)
	total = -1
	var err3 error
	if all != "*" {
		total, err3 = strconv.ParseInt(all, 10, 64)
	}
	return from, last, total, err1 == nil && err2 == nil && err3 == nil && from >= 0 && last >= from
}
