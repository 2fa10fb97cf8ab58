package train

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Setting is one setting of a run, or a fact about its data, that decides over the bytes it makes.
type Setting struct {
	Name  string `json:"name"` // as in the configuration: train.lr
	Value string `json:"value"`
}

// Settings lists the settings of a struct that decide over the bytes of a run. A field with the tag resume:"free" does not: it may change
// when a run goes on.
func Settings(options any) []Setting {
	v := reflect.ValueOf(options)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	return appendSettings(nil, "", v)
}

func appendSettings(out []Setting, prefix string, v reflect.Value) []Setting {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, rest, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if !f.IsExported() || name == "-" || f.Tag.Get("resume") == "free" {
			continue
		}
		switch x := v.Field(i); {
		case x.Kind() == reflect.Struct && strings.Contains(rest, "inline"):
			out = appendSettings(out, prefix, x)
		case x.Kind() == reflect.Struct:
			out = appendSettings(out, prefix+name+".", x)
		default:
			out = append(out, Setting{prefix + name, fmt.Sprint(x.Interface())})
		}
	}
	return out
}

// stepsSetting is the last part of the name of the number of steps, which may change where the learning rate does not depend on it.
const stepsSetting = "steps"

// differences are the settings in which a run that goes on is another than the one that was saved.
func differences(saved, now []Setting) (out []string) {
	for _, s := range saved {
		i := slices.IndexFunc(now, func(n Setting) bool { return n.Name == s.Name })
		switch {
		case i < 0:
			out = append(out, fmt.Sprintf("%s was %q, there is no such setting now", s.Name, s.Value))
		case now[i].Value != s.Value:
			out = append(out, fmt.Sprintf("%s was %s, is %s now", s.Name, s.Value, now[i].Value))
		}
	}
	for _, n := range now {
		if !slices.ContainsFunc(saved, func(s Setting) bool { return s.Name == n.Name }) {
			out = append(out, fmt.Sprintf("%s is %s now, the state does not have it", n.Name, n.Value))
		}
	}
	return out
}
