package hub

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"net/http"
	"net/url"
	"strings"
)

// openXLab speaks the interface of openxlab.org.cn, which hands out addresses of files in an object store, without sizes and without
// checksums that hold (its hash is of the first and last 64 bytes). Source: the client library openxlab, version 0.1.3.
type openXLab struct {
	*client
	signed bool
}

// openXLabAnswer is an envelope in an envelope.
type openXLabAnswer[T any] struct {
	MsgCode string
	Msg     string
	Data    struct {
		MsgCode string
		Msg     string
		Data    T
	}
}

func (a openXLabAnswer[T]) check(address string) error {
	const well = "10000"
	for _, said := range [][2]string{{a.MsgCode, a.Msg}, {a.Data.MsgCode, a.Data.Msg}} {
		if said[0] != well {
			return fmt.Errorf("%s: OpenXLab answers %s: %s", address, first(said[0], "without a code"), said[1])
		}
	}
	return nil
}

func (x *openXLab) list(ctx context.Context, repo, revision string) (*Listing, error) {
	if revision != "" {
		return nil, fmt.Errorf("%s: OpenXLab gives out the newest files only; leave --revision %s away", repo, revision)
	}
	if err := x.sign(ctx); err != nil {
		return nil, err
	}
	owner, name, ok := strings.Cut(repo, "/")
	if !ok {
		return nil, fmt.Errorf("%s: expected OWNER/NAME", repo)
	}
	type link struct{ URL, FileName string }
	var answer openXLabAnswer[struct{ ModelNames, FilePaths map[string]link }]
	address := x.site.endpoint + "/model-center/api/v1/cli/repository/getFileDownloadUrl"
	ask := map[string]any{"userName": owner, "repositoryName": name, "modelNames": nil, "filePaths": nil, "clientFrom": "0", "ignore": nil}
	if _, err := x.json(ctx, http.MethodPost, address, ask, &answer); err != nil {
		return nil, err
	}
	if err := answer.check(address); err != nil {
		return nil, err
	}
	l := &Listing{}
	for _, links := range []map[string]link{answer.Data.Data.ModelNames, answer.Data.Data.FilePaths} {
		for key, k := range links {
			u, err := url.Parse(k.URL)
			if err != nil || u.Scheme != "http" && u.Scheme != "https" {
				return nil, fmt.Errorf("%s: OpenXLab gives %q as the address of %s", repo, k.URL, key)
			}
			l.Files = append(l.Files, File{Path: first(k.FileName, key), Size: -1, url: k.URL})
		}
	}
	return l, nil
}

// sign turns an access key and its secret into a token of this session: the secret signs a number that the hub chooses.
func (x *openXLab) sign(ctx context.Context) error {
	switch {
	case x.signed || x.site.token == "":
		return nil
	case x.site.secret == "": // a token already
		x.secrets.Set("Authorization", x.site.token)
		x.signed = true
		return nil
	}
	base := x.site.endpoint + "/sso-be/api/v1/open/"
	var challenge openXLabAnswer[struct{ Nonce, Algorithm string }]
	if _, err := x.json(ctx, http.MethodPost, base+"auth", map[string]any{"ak": x.site.token}, &challenge); err != nil {
		return err
	}
	if err := challenge.check(base + "auth"); err != nil {
		return err
	}
	c := challenge.Data.Data
	make, ok := map[string]func() hash.Hash{"MD5": md5.New, "SHA1": sha1.New, "SHA256": sha256.New, "SHA384": sha512.New384, "SHA512": sha512.New}[strings.ToUpper(strings.TrimPrefix(c.Algorithm, "Hmac"))]
	if !ok {
		return fmt.Errorf("%sauth: OpenXLab asks for a signature by %q, which is not known", base, c.Algorithm)
	}
	mac := hmac.New(make, []byte(x.site.secret))
	mac.Write([]byte(c.Nonce))
	var pass openXLabAnswer[struct{ JWT string }]
	if _, err := x.json(ctx, http.MethodPost, base+"getJwt", map[string]any{"ak": x.site.token, "d": base64.StdEncoding.EncodeToString(mac.Sum(nil))}, &pass); err != nil {
		return err
	}
	if err := pass.check(base + "getJwt"); err != nil {
		return err
	}
	x.secrets.Set("Authorization", pass.Data.Data.JWT)
	x.signed = true
	return nil
}

func (x *openXLab) explain(err error, repo, revision string) error {
	return explain(err, x.site, repo, revision, "https://openxlab.org.cn/models/detail/"+repo, "OPENXLAB_AK and OPENXLAB_SK, or --token AK:SK")
}
