package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"lian/config"
	"lian/store"
)

// SettingsFile in LIAN_HOME names hubs of one's own and what to use of the public ones.
const SettingsFile = "hubs.yaml"

// Interfaces that a hub may speak.
const (
	HuggingFace = "huggingface"
	ModelScope  = "modelscope"
	OpenXLab    = "openxlab"
)

// Settings are the contents of SettingsFile.
type Settings struct {
	Default string              `yaml:"default" help:"hub to take where none is named"`
	Hubs    map[string]HubEntry `yaml:"hubs" help:"hubs by name"`
}

// HubEntry is a hub of one's own, or what is different about a public one.
type HubEntry struct {
	Kind      string `yaml:"kind" help:"interface it speaks" range:"|huggingface|modelscope|openxlab"`
	Endpoint  string `yaml:"endpoint" help:"web address without path of a model"`
	Token     string `yaml:"token" help:"access token"`
	TokenFile string `yaml:"token_file" help:"file that holds the access token"`
}

// ReadSettings reads SettingsFile; without one they are empty.
func ReadSettings() (Settings, error) {
	var s Settings
	path := filepath.Join(store.Home(), SettingsFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = config.Decode(text, path, &s)
	}
	for name, h := range s.Hubs {
		if err == nil && h.Kind == "" && defaults[name].endpoint == "" {
			err = fmt.Errorf("%s: hubs.%s.kind: is missing; expected huggingface, modelscope or openxlab", path, name)
		}
		if err == nil && h.Kind != "" && h.Endpoint == "" {
			err = fmt.Errorf("%s: hubs.%s.endpoint: is missing; expected a web address", path, name)
		}
	}
	return s, err
}

// names are the hubs of one's own.
func (s Settings) names() (list []string) {
	for name := range s.Hubs {
		list = append(list, name)
	}
	return list
}

// site is a hub as it is spoken to.
type site struct {
	name     string // for people: huggingface
	kind     string
	endpoint string // without a slash at its end
	token    string
	secret   string // OpenXLab: the secret key that belongs to token as access key
}

var defaults = map[string]struct{ endpoint, endpointEnv, revision string }{
	HuggingFace: {"https://huggingface.co", "HF_ENDPOINT", "main"},
	ModelScope:  {"https://www.modelscope.cn", "MODELSCOPE_ENDPOINT", "master"},
	OpenXLab:    {"https://openapi.openxlab.org.cn/api/v1", "OPENXLAB_ENDPOINT", ""},
}

// siteFor decides which hub a reference means: the reference itself, o, the environment, SettingsFile, the public one, in this order.
func siteFor(r Reference, o Options, s Settings) (site, error) {
	name := first(r.Hub, o.Hub, os.Getenv("LIAN_HUB"), s.Default, HuggingFace)
	if alias := known[name]; alias != "" {
		name = alias
	}
	if r.Hub != "" && o.Hub != "" && name != first(known[o.Hub], o.Hub) {
		return site{}, fmt.Errorf("%s: the name says %s, --hub %s", r, r.Hub, o.Hub)
	}
	entry, own := s.Hubs[name]
	kind := first(entry.Kind, name)
	d, public := defaults[kind]
	switch {
	case name == "ollama":
		return site{}, fmt.Errorf("%s: Lian does not download from Ollama's registry; ollama pull %s:%s does, and Lian uses what lies in its store in place", r, r.Repo, first(r.Variant, "latest"))
	case !public:
		return site{}, fmt.Errorf("hub %q: no such hub; expected huggingface, modelscope, openxlab%s", name, also(s))
	}
	h := site{name: name, kind: kind, endpoint: d.endpoint}
	environment := os.Getenv(d.endpointEnv)
	if domain := os.Getenv("MODELSCOPE_DOMAIN"); kind == ModelScope && environment == "" && domain != "" {
		environment = "https://" + domain
	}
	if own && entry.Kind != "" { // a hub of one's own has nothing to do with the public one's environment
		environment = ""
	}
	h.endpoint = strings.TrimRight(first(o.Endpoint, r.Endpoint, environment, entry.Endpoint, d.endpoint), "/")
	if u, err := url.Parse(h.endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return site{}, fmt.Errorf("endpoint %q: expected a web address such as %s", h.endpoint, d.endpoint)
	}
	h.token = o.Token
	pasted := r.Endpoint != "" && o.Endpoint == "" // a token is not for whatever host an address names
	if h.token == "" && !pasted {
		var err error
		if h.token, err = entry.readToken(); err != nil {
			return h, err
		}
		if h.token == "" && !(own && entry.Kind != "") {
			h.token, h.secret = environmentToken(kind)
		}
	}
	if kind == OpenXLab && h.secret == "" {
		h.token, h.secret, _ = strings.Cut(h.token, ":") // --token AK:SK
	}
	return h, nil
}

func also(s Settings) string {
	text := ""
	for _, name := range s.names() {
		text += ", " + name
	}
	return text + " (" + SettingsFile + " in LIAN_HOME names further ones)"
}

func (e HubEntry) readToken() (string, error) {
	if e.Token != "" || e.TokenFile == "" {
		return e.Token, nil
	}
	text, err := os.ReadFile(e.TokenFile)
	return strings.TrimSpace(string(text)), err
}

// environmentToken finds the token where the hub's own programs keep it.
func environmentToken(kind string) (token, secret string) {
	home, _ := os.UserHomeDir()
	switch kind {
	case HuggingFace:
		if token = first(os.Getenv("HF_TOKEN"), os.Getenv("HUGGING_FACE_HUB_TOKEN")); token == "" && !truth(os.Getenv("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
			text, err := os.ReadFile(first(os.Getenv("HF_TOKEN_PATH"), filepath.Join(huggingFaceHome(), "token")))
			if err == nil {
				token = string(text)
			}
		}
	case ModelScope:
		token = os.Getenv("MODELSCOPE_API_TOKEN")
	case OpenXLab:
		token, secret = os.Getenv("OPENXLAB_AK"), os.Getenv("OPENXLAB_SK")
		if text, err := os.ReadFile(filepath.Join(home, ".openxlab", "config.json")); err == nil && token == "" {
			var keys struct{ AK, SK string }
			if json.Unmarshal(text, &keys) == nil {
				token, secret = keys.AK, keys.SK
			}
		}
	}
	return strings.TrimSpace(token), strings.TrimSpace(secret)
}

func truth(text string) bool {
	switch strings.ToUpper(text) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
