package hub

import (
	"fmt"
	"net/url"
	"path"
	"strings"
)

// Reference says which model: where it comes from and which part of it.
type Reference struct {
	Hub      string // huggingface, modelscope, openxlab, ollama or a name of hubs.yaml; "" is not said
	Repo     string // owner/name, or a single name of old repositories
	Revision string // branch, tag or commit; "" is the hub's default
	Variant  string // Q4_K_M: which GGUF file; for Ollama the tag
	File     string // one file of the repository, as web addresses name it
	Endpoint string // of a web address whose host is no hub we know; "" else
	Web      string // the web address of a single file outside any hub
}

// String is the shortest text that Parse reads back.
func (r Reference) String() string {
	if r.Web != "" {
		return r.Web
	}
	text := r.Repo
	if r.Hub != "" {
		text = r.Hub + ":" + text
	}
	if r.Variant != "" {
		text += ":" + r.Variant
	}
	if r.Revision != "" {
		text += "@" + r.Revision
	}
	return text
}

// known are the prefixes before a colon that name a hub.
var known = map[string]string{
	"hf": "huggingface", "huggingface": "huggingface", "ms": "modelscope", "modelscope": "modelscope",
	"openxlab": "openxlab", "xlab": "openxlab", "ollama": "ollama",
}

// hosts are web hosts whose addresses and names we can read.
var hosts = map[string]string{
	"huggingface.co": "huggingface", "hf.co": "huggingface", "www.huggingface.co": "huggingface", "hf-mirror.com": "huggingface",
	"modelscope.cn": "modelscope", "www.modelscope.cn": "modelscope", "modelscope.ai": "modelscope", "www.modelscope.ai": "modelscope",
	"openxlab.org.cn": "openxlab", "ollama.com": "ollama", "registry.ollama.ai": "ollama",
}

// Parse reads NAME[:VARIANT][@REVISION], HUB:NAME, HOST/NAME or a web address. more are further hubs by name (hubs.yaml).
func Parse(text string, more ...string) (Reference, error) {
	var r Reference
	rest := text
	switch scheme, after, ok := strings.Cut(text, "://"); {
	case ok && (scheme == "http" || scheme == "https"):
		return parseWeb(text)
	case ok && (scheme == "hf" || scheme == "ollama" || scheme == "modelscope" || scheme == "ms"):
		r.Hub, rest = known[scheme], strings.TrimPrefix(after, "models/")
	case ok:
		return r, fmt.Errorf("%s: expected http, https or hf before ://, found %q", text, scheme)
	}
	if prefix, after, ok := strings.Cut(rest, ":"); ok && r.Hub == "" && !strings.Contains(prefix, "/") {
		if hub := known[prefix]; hub != "" {
			r.Hub, rest = hub, after
		}
		for _, name := range more {
			if prefix == name {
				r.Hub, rest = name, after
			}
		}
	}
	if r.Hub == "" {
		if host, after, ok := strings.Cut(rest, "/"); ok && hosts[host] != "" {
			r.Hub, rest = hosts[host], after
		}
	}
	rest, r.Revision, _ = strings.Cut(rest, "@")
	if at := strings.LastIndexByte(rest, ':'); at >= 0 {
		rest, r.Variant = rest[:at], rest[at+1:]
		if strings.HasSuffix(r.Variant, ".gguf") {
			r.Variant, r.File = "", r.Variant
		} else if r.Variant == "" {
			return r, fmt.Errorf("%s: nothing after the colon; expected a variant such as Q4_K_M", text)
		}
	}
	if r.Repo = strings.Trim(rest, "/"); r.Repo != rest && !strings.Contains(r.Repo, "/") {
		return r, fmt.Errorf("%s: a slash with nothing on its other side; expected OWNER/NAME", text) // "hf/:x" is not "hf:x"
	}
	return r, r.check(text)
}

// parseWeb reads the address of a repository's page, of a file in it, or of any file.
func parseWeb(text string) (Reference, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return Reference{}, fmt.Errorf("%s: not a web address", text)
	}
	r := Reference{Hub: hosts[u.Hostname()]}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	if r.Hub == "modelscope" || r.Hub == "openxlab" {
		for len(parts) > 0 && (parts[0] == "models" || parts[0] == "detail") {
			parts = parts[1:]
		}
	}
	file := len(parts) > 4 && (parts[2] == "resolve" || parts[2] == "blob" || parts[2] == "raw")
	switch {
	case r.Hub == "" && !file && path.Ext(u.Path) == "":
		return r, fmt.Errorf("%s: not a hub that Lian knows, nor the address of a file; for a hub of your own pass --endpoint %s://%s and the name of the model", text, u.Scheme, u.Host)
	case r.Hub == "" && !file:
		return Reference{Web: text}, nil
	case len(parts) < 2 || len(parts) == 3 || len(parts) > 3 && !file && parts[2] != "tree":
		return r, fmt.Errorf("%s: expected the address of a model, …/OWNER/NAME, or of a file in it, …/OWNER/NAME/resolve/REVISION/FILE", text)
	}
	if hosts[u.Hostname()] == "" || u.Hostname() == "hf-mirror.com" {
		r.Endpoint = u.Scheme + "://" + u.Host
	}
	r.Repo = parts[0] + "/" + parts[1]
	if len(parts) > 3 {
		r.Revision = parts[3]
	}
	if file {
		r.File = strings.Join(parts[4:], "/")
	}
	return r, r.check(text)
}

// check refuses names that no hub has and that would be strange as paths.
func (r Reference) check(text string) error {
	parts := strings.Split(r.Repo, "/")
	most := 2
	if r.Hub == "ollama" {
		most = 3 // host/namespace/model
	}
	if len(parts) > most {
		return fmt.Errorf("%s: expected OWNER/NAME, found %d parts in %q", text, len(parts), r.Repo)
	}
	for _, p := range parts {
		if p == "" || strings.Trim(p, ".") == "" || strings.HasPrefix(p, ".") || strings.ContainsFunc(p, notInName) {
			return fmt.Errorf("%s: %q is no name of a model; letters, digits, '-', '_' and '.' are allowed, and one '/' between owner and name", text, r.Repo)
		}
	}
	if strings.ContainsFunc(r.Variant, notInName) || strings.ContainsFunc(r.Revision, func(c rune) bool { return notInName(c) && c != '/' }) || strings.Contains(r.Revision, "..") {
		return fmt.Errorf("%s: the variant or revision holds a character that none has", text)
	}
	if r.File != "" {
		return checkPath(r.File)
	}
	return nil
}

func notInName(c rune) bool {
	return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.')
}
