package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// modelScope speaks the interface of modelscope.cn. Source: the client libraries modelscope and modelscope_hub.
type modelScope struct{ *client }

// mostListed is how many entries one list holds; ModelScope drops the rest without a word, so larger folders are asked one by one.
const mostListed = 3000

type modelScopeEntry struct {
	Path   string
	Type   string // blob or tree
	Size   int64
	Sha256 string
}

func (m *modelScope) list(ctx context.Context, repo, revision string) (*Listing, error) {
	revision = first(revision, defaults[ModelScope].revision)
	l := &Listing{Licence: m.licence(ctx, repo)}
	seen := map[string]bool{}
	folders := []string{""}
	for len(folders) > 0 {
		folder := folders[0]
		folders = folders[1:]
		entries, err := m.page(ctx, repo, revision, folder, true)
		if err != nil {
			return nil, err
		}
		if len(entries) >= mostListed { // cut off: this level alone, then each folder of it
			if entries, err = m.page(ctx, repo, revision, folder, false); err != nil {
				return nil, err
			}
			if len(entries) >= mostListed {
				return nil, fmt.Errorf("%s: folder %q holds more than %d files, which ModelScope does not list", repo, first(folder, "/"), mostListed)
			}
			for _, e := range entries {
				if e.Type == "tree" {
					folders = append(folders, e.Path)
				}
			}
		}
		for _, e := range entries {
			if e.Type == "tree" {
				continue
			}
			if seen[e.Path] && folder != "" { // listed by its own folder already
				continue
			}
			seen[e.Path] = true
			l.Files = append(l.Files, File{Path: e.Path, Size: e.Size, SHA256: hexHash(e.Sha256, 64),
				url: m.site.endpoint + "/api/v1/models/" + repo + "/repo?Revision=" + url.QueryEscape(revision) + "&FilePath=" + url.QueryEscape(e.Path)})
		}
	}
	return l, nil
}

// envelope is around every answer.
type envelope[T any] struct {
	Code    int
	Message string
	Data    T
}

func (e envelope[T]) check(address string) error {
	if e.Code == http.StatusOK || e.Code == 0 {
		return nil
	}
	code := e.Code
	if code > 599 { // 10010205001 and the like: no such model
		code = http.StatusNotFound
	}
	return &Status{Code: code, Address: address, Text: e.Message}
}

func (m *modelScope) page(ctx context.Context, repo, revision, folder string, recursive bool) ([]modelScopeEntry, error) {
	query := url.Values{"Revision": {revision}, "Recursive": {"False"}}
	if recursive {
		query.Set("Recursive", "True")
	}
	if folder != "" {
		query.Set("Root", folder)
	}
	address := m.site.endpoint + "/api/v1/models/" + repo + "/repo/files"
	var answer envelope[struct{ Files []modelScopeEntry }]
	if _, err := m.json(ctx, http.MethodGet, address+"?"+query.Encode(), nil, &answer); err != nil {
		return nil, err
	}
	return answer.Data.Files, answer.check(address)
}

// licence is shown only, so that not being told it is no reason to stop.
func (m *modelScope) licence(ctx context.Context, repo string) string {
	var answer envelope[struct{ License string }]
	once := *m.client
	once.retries = 0
	if _, err := once.json(ctx, http.MethodGet, m.site.endpoint+"/api/v1/models/"+repo, nil, &answer); err != nil {
		return ""
	}
	return answer.Data.License
}

func (m *modelScope) explain(err error, repo, revision string) error {
	var s *Status
	if errors.As(err, &s) && s.Code == http.StatusBadRequest {
		return fmt.Errorf("%w\nModelScope knows no %s, or not at revision %s", err, repo, first(revision, defaults[ModelScope].revision))
	}
	return explain(err, m.site, repo, revision, m.site.endpoint+"/models/"+repo, "MODELSCOPE_API_TOKEN or --token (made in the account's settings)")
}
