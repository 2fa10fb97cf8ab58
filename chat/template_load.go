package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// LoadTemplate reads the template of a model folder: chat_template.jinja, or
// the member chat_template of chat_template.json or tokenizer_config.json. Of
// several named ones it is the one called default, and the one called tool_use
// where tools are offered. bos_token, eos_token and so on of tokenizer_config.json
// become variables. A path to one of these files is read alone, and so is a .jinja
// file of any name. The error wraps fs.ErrNotExist when there is no template.
func LoadTemplate(path string) (*Template, error) {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return loadFolder(path)
	case strings.HasSuffix(path, ".json"):
		named, variables, err := readConfig(path)
		if err != nil {
			return nil, err
		}
		return choose(path, named, variables)
	}
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return ParseTemplate(filepath.Base(path), string(source))
}

func loadFolder(dir string) (*Template, error) {
	config := filepath.Join(dir, "tokenizer_config.json")
	named, variables, err := readConfig(config)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	from := config
	if other, _, err := readConfig(filepath.Join(dir, "chat_template.json")); err == nil && len(other) > 0 {
		named, from = other, filepath.Join(dir, "chat_template.json")
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "additional_chat_templates", "*.jinja"))
	if err != nil {
		return nil, err
	}
	for _, file := range append(files, filepath.Join(dir, "chat_template.jinja")) {
		source, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(filepath.Base(file), ".jinja")
		if name == "chat_template" {
			name, from = "default", file
			named = slices.DeleteFunc(named, func(n NamedTemplate) bool { return n.Name == "default" })
		}
		named = append(named, NamedTemplate{name, string(source)})
	}
	return choose(from, named, variables)
}

// NamedTemplate is one of a model's templates.
type NamedTemplate struct {
	Name     string `json:"name"`
	Template string `json:"template"`
}

// NewTemplate makes one template of a model's: the one called default, and where
// tools are offered the one called tool_use. from stands in errors.
func NewTemplate(from string, named []NamedTemplate, variables map[string]string) (*Template, error) {
	return choose(from, named, variables)
}

func choose(from string, named []NamedTemplate, variables map[string]string) (*Template, error) {
	if len(named) == 0 {
		return nil, fmt.Errorf("%s: the model has no chat template: %w", from, fs.ErrNotExist)
	}
	var names []string
	parsed := map[string]*Template{}
	for _, n := range named {
		label := from
		if len(named) > 1 {
			label += " (" + n.Name + ")"
		}
		tpl, err := ParseTemplate(label, n.Template)
		if err != nil {
			return nil, err
		}
		names = append(names, n.Name)
		parsed[n.Name] = tpl.WithVariables(variables)
	}
	tpl, ok := parsed["default"]
	if !ok {
		if len(named) > 1 {
			return nil, fmt.Errorf(`%s: the model has the templates %s, and none called "default"; give one as a .jinja file`, from, strings.Join(names, ", "))
		}
		tpl = parsed[names[0]]
	}
	tpl.toolUse = parsed["tool_use"]
	return tpl, nil
}

// readConfig reads the templates and the special tokens of a tokenizer_config.json.
func readConfig(path string) (named []NamedTemplate, variables map[string]string, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &members); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	variables = map[string]string{}
	for key, raw := range members {
		if !strings.HasSuffix(key, "_token") {
			continue
		}
		var text string
		var added struct{ Content string }
		if json.Unmarshal(raw, &text) == nil && text != "" {
			variables[key] = text
		} else if json.Unmarshal(raw, &added) == nil && added.Content != "" {
			variables[key] = added.Content
		}
	}
	raw := members["chat_template"]
	switch first(raw) {
	case 0, 'n':
	case '"':
		named = []NamedTemplate{{Name: "default"}}
		err = json.Unmarshal(raw, &named[0].Template)
	case '{':
		byName := map[string]string{}
		if err = json.Unmarshal(raw, &byName); err == nil {
			for name, source := range byName {
				named = append(named, NamedTemplate{name, source})
			}
			slices.SortFunc(named, func(a, b NamedTemplate) int { return strings.Compare(a.Name, b.Name) })
		}
	default:
		err = json.Unmarshal(raw, &named)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: chat_template: expected a text, or a list of {name, template}: %w", path, err)
	}
	return named, variables, nil
}

// LoadVariables are the special tokens of a model folder as templates know them:
// bos_token, eos_token and so on.
func LoadVariables(dir string) (map[string]string, error) {
	_, variables, err := readConfig(filepath.Join(dir, "tokenizer_config.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return variables, err
}

// OpenTemplate is what a user means by a template: one that comes with Lian, by
// its name, or a file or folder as in [LoadTemplate].
func OpenTemplate(nameOrPath string) (*Template, error) {
	if slices.Contains(BuiltInNames(), nameOrPath) {
		return BuiltIn(nameOrPath)
	}
	tpl, err := LoadTemplate(nameOrPath)
	if _, missing := os.Stat(nameOrPath); errors.Is(missing, fs.ErrNotExist) {
		return nil, fmt.Errorf("template %q: no such file, and none that comes with Lian; those are %s", nameOrPath, strings.Join(BuiltInNames(), ", "))
	}
	return tpl, err
}
