package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// File is one file of a model as the hub lists it.
type File struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`             // bytes; −1 if the hub does not say
	SHA256 string `json:"sha256,omitempty"` // of the content, in hexadecimal
	Git    string `json:"git,omitempty"`    // git's hash of the content as a blob, where SHA256 is not known
	url    string
}

// Listing is what a hub says of a model.
type Listing struct {
	Files   []File
	Commit  string // "" if the hub does not say
	Licence string // as the hub writes it, "" if it does not say
	Gated   bool
}

// speaker is the interface of a kind of hub.
type speaker interface {
	// list names every file of a revision; "" is the default one.
	list(ctx context.Context, repo, revision string) (*Listing, error)
	// explain says in words what an answer means for this model.
	explain(err error, repo, revision string) error
}

func newSpeaker(c *client) speaker {
	switch c.site.kind {
	case ModelScope:
		return &modelScope{c}
	case OpenXLab:
		return &openXLab{client: c}
	}
	return &huggingFace{c}
}

// explain is what kinds of hubs have in common: page is where a person sees the model, tokens where a token may be put.
func explain(err error, site site, repo, revision, page, tokens string) error {
	var s *Status
	if !errors.As(err, &s) {
		return err
	}
	given := "no token was sent"
	if site.token != "" {
		given = "the token that was sent is not enough"
	}
	at := "at the hub's default revision"
	if revision != "" {
		at = "at revision " + revision
	}
	switch s.Code {
	case http.StatusUnauthorized:
		return fmt.Errorf("%w\n%s on %s does not exist, or is private, or asks for its terms to be accepted; %s. Check the name; accept the terms at %s; then pass a token: %s", err, repo, site.name, given, page, tokens)
	case http.StatusForbidden:
		return fmt.Errorf("%w\n%s on %s may not be downloaded by you: %s. Accept its terms at %s, wait until its authors grant it, and pass a token of that account: %s", err, repo, site.name, given, page, tokens)
	case http.StatusNotFound:
		return fmt.Errorf("%w\nthere is no %s on %s %s; check owner, name (letter case counts) and --revision", err, repo, site.name, at)
	}
	return err
}
