package hub

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"

	"lian/store"
)

const (
	mostJSON    = 64 << 20         // bytes of a list of files
	mostText    = 1 << 10          // bytes of an error page that are looked at
	mostWait    = 10 * time.Minute // that a hub may ask for
	stallAfter  = 60 * time.Second // without a byte
	mostForward = 10               // redirects
)

// client speaks to one hub. Credentials go to the hub's own scheme, host and port only.
type client struct {
	site    site
	secrets http.Header
	http    *http.Client
	retries int
	wait    func(ctx context.Context, d time.Duration, why error) error
}

func newClient(s site, retries int, wait func(ctx context.Context, d time.Duration, why error) error) *client {
	c := &client{site: s, retries: retries, wait: wait, secrets: http.Header{}}
	if s.token != "" && s.kind != OpenXLab {
		c.secrets.Set("Authorization", "Bearer "+s.token)
		if s.kind == ModelScope {
			c.secrets.Set("Cookie", "m_session_id="+s.token)
		}
	}
	proxies := httpproxy.FromEnvironment()
	all := first(os.Getenv("ALL_PROXY"), os.Getenv("all_proxy"))
	proxies.HTTPProxy, proxies.HTTPSProxy = first(proxies.HTTPProxy, all), first(proxies.HTTPSProxy, all)
	choose := proxies.ProxyFunc()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = func(r *http.Request) (*url.URL, error) { return choose(r.URL) }
	transport.ResponseHeaderTimeout = stallAfter
	transport.DisableCompression = true // sizes and ranges are of the file itself
	transport.MaxIdleConnsPerHost = 64
	transport.ForceAttemptHTTP2 = false // requests at a time are connections at a time
	transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	c.http = &http.Client{Transport: transport, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) >= mostForward {
			return fmt.Errorf("more than %d redirects", mostForward)
		}
		if r.URL.Scheme != "http" && r.URL.Scheme != "https" {
			return fmt.Errorf("redirected to %s, which is no web address", shown(r.URL))
		}
		for _, earlier := range append(via, r) { // once it has left the hub, it is a stranger's
			if !c.own(earlier.URL) {
				for name := range c.secrets {
					r.Header.Del(name)
				}
				r.Header.Del("Referer")
			}
		}
		return nil
	}}
	return c
}

// own says whether an address is of the hub itself.
func (c *client) own(u *url.URL) bool {
	base, err := url.Parse(c.site.endpoint)
	return err == nil && u.Scheme == base.Scheme && strings.EqualFold(u.Host, base.Host)
}

// send makes one request, with the credentials where they belong.
func (c *client) send(ctx context.Context, method, address string, body []byte, header http.Header) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		r.Header[name] = values
	}
	r.Header.Set("User-Agent", "lian/"+store.Version)
	if c.own(r.URL) {
		for name, values := range c.secrets {
			r.Header[name] = values
		}
	}
	response, err := c.http.Do(r)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) { // its text holds the whole address, which may be signed
			err = wrapped.Err
		}
		return nil, fmt.Errorf("%s: %w", shown(r.URL), err)
	}
	return response, nil
}

// json asks the hub's interface and decodes its answer, again after what may pass.
func (c *client) json(ctx context.Context, method, address string, body any, into any) (http.Header, error) {
	var payload []byte
	header := http.Header{"Accept": {"application/json"}}
	if body != nil {
		var err error
		if payload, err = json.Marshal(body); err != nil {
			return nil, err
		}
		header.Set("Content-Type", "application/json")
	}
	for attempt := 0; ; attempt++ {
		answer, err := c.jsonOnce(ctx, method, address, payload, header, into)
		if err == nil {
			return answer, nil
		}
		if err := c.pause(ctx, attempt, err); err != nil {
			return nil, err
		}
	}
}

func (c *client) jsonOnce(ctx context.Context, method, address string, payload []byte, header http.Header, into any) (http.Header, error) {
	response, err := c.send(ctx, method, address, payload, header)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, statusError(response)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, mostJSON+1))
	at := shown(response.Request.URL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: the answer was cut off: %w", at, err)
	case len(text) > mostJSON:
		return nil, permanent{fmt.Errorf("%s: the answer is larger than %d MiB; that is no list of files of a model", at, mostJSON>>20)}
	}
	if looks := bytes.TrimSpace(text); len(looks) == 0 || looks[0] == '<' {
		return nil, permanent{fmt.Errorf("%s: expected JSON, found %s; is the endpoint right, or does a proxy or a sign-in page stand between?", at, kindOf(looks, response.Header))}
	}
	if err := json.Unmarshal(text, into); err != nil {
		return nil, permanent{fmt.Errorf("%s: not the JSON that was expected: %w", at, err)}
	}
	return response.Header, nil
}

func kindOf(text []byte, header http.Header) string {
	if len(text) == 0 {
		return "nothing"
	}
	return first(header.Get("Content-Type"), "a page")
}

// permanent is an error that trying again does not mend.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Status is an answer that is no success.
type Status struct {
	Code    int
	Address string
	Kind    string // X-Error-Code of Hugging Face
	Text    string // what the hub says
	after   time.Duration
}

func (s *Status) Error() string {
	text := fmt.Sprintf("%s: the hub answers %d %s", s.Address, s.Code, http.StatusText(s.Code))
	if s.Text != "" {
		text += ": " + s.Text
	}
	return text
}

func statusError(r *http.Response) *Status {
	s := &Status{Code: r.StatusCode, Address: shown(r.Request.URL), Kind: r.Header.Get("X-Error-Code"), Text: r.Header.Get("X-Error-Message")}
	if seconds, err := strconv.Atoi(r.Header.Get("Retry-After")); err == nil && seconds >= 0 {
		s.after = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(r.Header.Get("Retry-After")); err == nil {
		s.after = max(time.Until(at), 0)
	}
	if s.Text == "" {
		text, _ := io.ReadAll(io.LimitReader(r.Body, mostText))
		var said struct {
			Error   any
			Message string
		}
		if json.Unmarshal(text, &said) == nil {
			s.Text = said.Message
			if e, ok := said.Error.(string); ok && s.Text == "" {
				s.Text = e
			}
		}
	}
	if len(s.Text) > 300 {
		s.Text = s.Text[:300] + "…"
	}
	s.Text = strings.Map(func(c rune) rune { // it is a stranger's, and goes to a terminal
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, s.Text)
	return s
}

// passes says whether an error may be gone a little later.
func passes(err error) bool {
	var p permanent
	if errors.As(err, &p) || errors.Is(err, context.Canceled) {
		return false
	}
	var s *Status
	if errors.As(err, &s) {
		return s.Code == http.StatusTooManyRequests || s.Code == http.StatusRequestTimeout || s.Code >= 500 && s.Code != http.StatusNotImplemented
	}
	return true // the network
}

// pause waits before attempt+1, or returns why there is none.
func (c *client) pause(ctx context.Context, attempt int, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !passes(err) {
		return err
	}
	if attempt >= c.retries {
		return fmt.Errorf("%w (tried %d times; the same command goes on from here)", err, attempt+1)
	}
	wait := min(time.Second<<min(attempt, 6), 30*time.Second)
	wait += time.Duration(rand.Int64N(int64(wait/4) + 1)) // so that many do not come back at once
	var s *Status
	if errors.As(err, &s) && s.after > 0 {
		if s.after > mostWait {
			return fmt.Errorf("%w; it asks to wait %s: the same command goes on from here then", err, s.after.Round(time.Second))
		}
		wait = s.after
	}
	return c.wait(ctx, wait, err)
}

// shown is an address without what may be secret in it.
func shown(u *url.URL) string {
	plain := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	return plain.String()
}
