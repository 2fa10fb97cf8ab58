package step

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"lian/hub"
)

// origin says where a model comes from and under which licence, by what lies beside it.
func (i *inspector) origin(path string, place *hub.Place) {
	dir := path
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		dir = filepath.Dir(path)
	}
	if mark, err := hub.ReadMark(dir, hub.PulledFile); err != nil {
		i.problem("%v", err)
	} else if mark != nil {
		i.Source = mark.Hub + ":" + mark.Repo
		if mark.Commit != "" {
			i.Source += "@" + mark.Commit
		}
		i.Licence = first(i.Licence, mark.Licence)
	}
	i.Licence = first(i.Licence, cardLicence(filepath.Join(dir, "README.md")))
	if place == nil {
		return
	}
	if place.Source != "home" {
		i.Source = place.Source + ":" + strings.TrimPrefix(place.Name, place.Source+":")
	}
	for _, text := range place.Licence { // Ollama's
		i.Licence = first(i.Licence, headOf(text))
	}
	add := func(key, value string) {
		if value != "" {
			i.Metadata = append(i.Metadata, MetadataFact{key, shortValue(value)})
		}
	}
	add("ollama.template", place.Template)
	add("ollama.system", place.System)
	for key, value := range place.Parameters {
		i.Metadata = append(i.Metadata, MetadataFact{"ollama.params." + key, shortValue(value)})
	}
	if place.Adapter != "" {
		add("ollama.adapter", place.Adapter)
	}
	for _, layer := range place.Unused {
		i.problem("the layer %q of %s is not used", layer, place.Name)
	}
}

// cardLicence is what the front matter of a model card says, "" if nothing.
func cardLicence(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	const most = 64 << 10
	text, err := io.ReadAll(io.LimitReader(f, most))
	rest, ok := bytes.CutPrefix(text, []byte("---\n"))
	head, _, whole := bytes.Cut(rest, []byte("\n---"))
	if err != nil || !ok || !whole {
		return ""
	}
	var card struct {
		Licence any    `yaml:"license"`
		Name    string `yaml:"license_name"`
	}
	if yaml.Unmarshal(head, &card) != nil {
		return ""
	}
	licence, _ := card.Licence.(string)
	if licence == "other" || licence == "" {
		return first(card.Name, licence)
	}
	return licence
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
