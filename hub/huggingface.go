package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// huggingFace speaks the interface of huggingface.co and its mirrors.
// Source: huggingface.co/docs/hub/api and the client library huggingface_hub.
type huggingFace struct{ *client }

var commit = regexp.MustCompile(`^[0-9a-f]{40}$`)

const mostPages = 1000 // of a list

func (h *huggingFace) list(ctx context.Context, repo, revision string) (*Listing, error) {
	revision = first(revision, defaults[HuggingFace].revision)
	var info huggingFaceModel
	base := h.site.endpoint + "/api/models/" + repo
	_, err := h.json(ctx, http.MethodGet, base+"/revision/"+url.PathEscape(revision)+"?blobs=true", nil, &info)
	if err != nil && (!plainlyMissing(err) || revision != defaults[HuggingFace].revision) {
		return nil, err
	}
	if err != nil { // a mirror that has no revisions, or there is no such model
		if _, infoErr := h.json(ctx, http.MethodGet, base+"?blobs=true", nil, &info); infoErr != nil && !plainlyMissing(infoErr) {
			return nil, infoErr
		}
	}
	l := &Listing{Commit: info.SHA, Licence: licence(info.CardData.License, info.Tags)}
	if gated, ok := info.Gated.(string); ok && gated != "" {
		l.Gated = true
	}
	if info.Disabled {
		return nil, fmt.Errorf("%s: the hub has disabled this model", repo)
	}
	at := revision
	if commit.MatchString(l.Commit) {
		at = l.Commit // files stay those of one commit while the branch moves on
	} else {
		l.Commit = ""
	}
	l.Files, err = h.tree(ctx, base, at)
	var s *Status
	if errors.As(err, &s) && s.Code == http.StatusNotFound && at != revision { // a mirror that knows branches only
		at = revision
		l.Files, err = h.tree(ctx, base, at)
	}
	if err != nil && plainlyMissing(err) && len(info.Siblings) > 0 { // a mirror that lists files beside the rest
		at, err = first(l.Commit, revision), nil
		l.Files = info.files()
	}
	if err != nil {
		return nil, err
	}
	for i := range l.Files {
		f := &l.Files[i]
		f.url = h.site.endpoint + "/" + repo + "/resolve/" + url.PathEscape(at) + "/" + escapePath(f.Path)
	}
	return l, nil
}

// huggingFaceModel is what the hub says of a model.
type huggingFaceModel struct {
	SHA      string
	Gated    any
	Disabled bool
	CardData struct{ License any }
	Tags     []string
	Siblings []struct {
		Name string `json:"rfilename"`
		Size *int64
		Blob string `json:"blobId"`
		LFS  *struct {
			SHA256 string
			Size   int64
		}
	}
}

// files are the siblings; a size that is not said is asked for later.
func (m *huggingFaceModel) files() (files []File) {
	for _, s := range m.Siblings {
		f := File{Path: s.Name, Size: -1}
		if s.Size != nil {
			f.Size, f.Git = *s.Size, hexHash(s.Blob, 40)
		}
		if s.LFS != nil {
			f.Size, f.SHA256, f.Git = s.LFS.Size, hexHash(s.LFS.SHA256, 64), ""
		}
		files = append(files, f)
	}
	return files
}

// plainlyMissing says whether an address is not there, without the hub saying what is missing.
func plainlyMissing(err error) bool {
	var s *Status
	return errors.As(err, &s) && s.Code == http.StatusNotFound && s.Kind == ""
}

// tree reads the list of files, page by page.
func (h *huggingFace) tree(ctx context.Context, base, revision string) (files []File, err error) {
	next := base + "/tree/" + url.PathEscape(revision) + "?recursive=true&expand=false"
	visited := map[string]bool{}
	for page := 0; next != ""; page++ {
		if page == mostPages || visited[next] {
			return nil, fmt.Errorf("%s: the list of files has no end after %d pages", base, page)
		}
		visited[next] = true
		var entries []struct {
			Type string
			Path string
			OID  string
			Size int64
			LFS  *struct {
				OID  string
				Size int64
			}
		}
		header, err := h.json(ctx, http.MethodGet, next, nil, &entries)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.Type != "file" {
				continue
			}
			f := File{Path: e.Path, Size: e.Size}
			if e.LFS != nil {
				f.Size, f.SHA256 = e.LFS.Size, hexHash(e.LFS.OID, 64)
			} else {
				f.Git = hexHash(e.OID, 40)
			}
			files = append(files, f)
		}
		if next = nextPage(header.Get("Link")); next != "" {
			u, err := url.Parse(next)
			if err == nil && !u.IsAbs() {
				next = h.site.endpoint + "/" + strings.TrimPrefix(next, "/")
			} else if err != nil || !h.own(u) {
				return nil, fmt.Errorf("%s: the list goes on at another host (%s), which a hub does not do", base, next)
			}
		}
	}
	return files, nil
}

// hexHash is a hash of so many hexadecimal digits, with or without its kind before a colon, or "".
func hexHash(text string, digits int) string {
	if _, after, ok := strings.Cut(text, ":"); ok {
		text = after
	}
	text = strings.ToLower(strings.Trim(text, `"`))
	if len(text) != digits || strings.Trim(text, "0123456789abcdef") != "" {
		return ""
	}
	return text
}

// nextPage is the address that a Link header gives for rel="next".
func nextPage(link string) string {
	for _, part := range strings.Split(link, ",") {
		address, rest, ok := strings.Cut(part, ">")
		if ok && strings.Contains(rest, `rel="next"`) {
			return strings.TrimPrefix(strings.TrimSpace(address), "<")
		}
	}
	return ""
}

func licence(card any, tags []string) string {
	switch l := card.(type) {
	case string:
		return l
	case []any:
		var list []string
		for _, x := range l {
			list = append(list, fmt.Sprint(x))
		}
		return strings.Join(list, ", ")
	}
	for _, t := range tags {
		if name, ok := strings.CutPrefix(t, "license:"); ok {
			return name
		}
	}
	return ""
}

func escapePath(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

func (h *huggingFace) explain(err error, repo, revision string) error {
	page := h.site.endpoint + "/" + repo
	const tokens = "HF_TOKEN or --token (made in the account's settings, with the right to read)"
	var s *Status
	if errors.As(err, &s) {
		switch s.Kind {
		case "GatedRepo":
			step := "accept them there while signed in, then pass a token: " + tokens
			if h.site.token != "" {
				step = "the token that was sent belongs to an account that has not been granted access yet: ask there, and wait for the authors' answer"
			}
			return fmt.Errorf("%w\n%s is gated: its authors ask you to accept terms at %s; %s", err, repo, page, step)
		case "RevisionNotFound":
			return fmt.Errorf("%w\n%s has no revision %q; %s/refs lists branches and tags", err, repo, first(revision, "main"), h.site.endpoint+"/api/models/"+repo)
		}
	}
	return explain(err, h.site, repo, revision, page, tokens)
}
