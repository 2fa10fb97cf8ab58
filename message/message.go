// Package message is the one table of what people read, in English and Chinese:
// help, progress, reports, pages.
//
// Each area of the program has one file here, such as report.yaml:
//
//	report.saved:
//	  en: "report card: %s"
//	  zh: "成绩单：%s"
//
// The text is a format of package fmt; where the languages order their arguments
// differently, write %[1]s and %[2]s. help*.yaml map English help texts of settings
// to Chinese ones, because the English ones stand in the tags of their fields.
//
// It guarantees that both languages have every entry with equal format verbs, that
// no key is defined twice, and that every key used in the code exists (tests keep
// all three). Errors and logs are English and are not here. It refuses to fail at
// run time: a key that is not in the table is shown as itself, in brackets.
package message

import (
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

//go:embed *.yaml
var files embed.FS

// The languages, as --lang names them.
const (
	English = "en"
	Chinese = "zh"
)

// Languages lists what --lang accepts.
var Languages = []string{English, Chinese}

// helpFiles is how the names of files begin that map English texts to Chinese ones.
const helpFiles = "help"

// entry is one text in each language.
type entry struct {
	EN   string `yaml:"en"`
	ZH   string `yaml:"zh"`
	file string
}

func (e entry) text(lang string) string {
	if lang == Chinese {
		return e.ZH
	}
	return e.EN
}

// tables are the parsed files.
type tables struct {
	entries map[string]entry
	help    map[string]string
	err     error // of the files that are built in: a test finds it before any user does
}

var load = sync.OnceValue(func() tables {
	t := tables{entries: map[string]entry{}, help: map[string]string{}}
	names, err := files.ReadDir(".")
	if err != nil {
		t.err = err
		return t
	}
	for _, f := range names {
		text, err := files.ReadFile(f.Name())
		if err == nil {
			err = t.add(f.Name(), text)
		}
		if err != nil && t.err == nil {
			t.err = fmt.Errorf("%s: %w", f.Name(), err)
		}
	}
	return t
})

// add reads one file into the tables.
func (t *tables) add(file string, text []byte) error {
	if strings.HasPrefix(file, helpFiles) {
		var part map[string]string
		if err := yaml.Unmarshal(text, &part); err != nil {
			return err
		}
		for english, chinese := range part {
			if other, again := t.help[english]; again && other != chinese {
				return fmt.Errorf("%q is translated in two ways", english)
			}
			t.help[english] = chinese
		}
		return nil
	}
	var part map[string]entry
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&part); err != nil {
		return err
	}
	for key, e := range part {
		if other, again := t.entries[key]; again {
			return fmt.Errorf("%s is in %s already", key, other.file)
		}
		e.file = file
		t.entries[key] = e
	}
	return nil
}

// Text is the message of a key in a language, with args in its format verbs. An
// unknown language is English; an unknown key is shown in brackets with its args.
func Text(lang, key string, args ...any) string {
	e, ok := lookup(key)
	if !ok {
		if len(args) > 0 {
			return fmt.Sprintf("[%s] %v", key, args)
		}
		return "[" + key + "]"
	}
	text := e.text(lang)
	if len(args) == 0 {
		return strings.ReplaceAll(text, "%%", "%")
	}
	return fmt.Sprintf(text, args...)
}

// Has says whether a key is in the table.
func Has(key string) bool {
	_, ok := places()[key]
	return ok
}

// Help is an English help text of a setting in a language. A text without an entry
// stays as it is.
func Help(lang, english string) string {
	if lang == Chinese {
		if text, ok := load().help[english]; ok {
			return text
		}
	}
	return english
}

// HasHelp says whether a help text is translated.
func HasHelp(english string) bool {
	_, ok := load().help[english]
	return ok
}

// HelpTexts lists the English help texts that are translated.
func HelpTexts() []string { return slices.Sorted(maps.Keys(load().help)) }

// Keys lists all keys in order.
func Keys() []string { return slices.Sorted(maps.Keys(load().entries)) }

// Table is all texts of a language whose key begins with one of the prefixes: what
// a web page needs to speak it.
func Table(lang string, prefixes ...string) map[string]string {
	out := map[string]string{}
	for key, e := range load().entries {
		for _, p := range prefixes {
			if strings.HasPrefix(key, p) {
				out[key] = e.text(lang)
			}
		}
	}
	return out
}

// Detect is the language that the environment asks for: LIAN_LANG, or else the
// locale (LC_ALL, LC_MESSAGES, LANG); English when none says Chinese.
func Detect(getenv func(string) string) string {
	for _, name := range []string{"LIAN_LANG", "LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := strings.ToLower(getenv(name)); v != "" {
			if strings.HasPrefix(v, "zh") {
				return Chinese
			}
			return English
		}
	}
	return English
}
