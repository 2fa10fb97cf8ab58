package step

import (
	"fmt"
	"reflect"
	"slices"
	"unicode"

	"lian/model/nn"
)

// specDifferences says in which switches two models differ, "attention.window 4096, now 0"; the family's name is none. Layers are
// compared one by one, and a difference is told once.
func specDifferences(was, now nn.Spec) (list []string) {
	was.Family, now.Family = "", ""
	if was.Layers == now.Layers {
		for l := range was.Layers {
			differences("", reflect.ValueOf(*was.Layer(l)), reflect.ValueOf(*now.Layer(l)), &list)
		}
		was.Block, now.Block = nn.Block{}, nn.Block{}
	}
	was.Each, now.Each = nil, nil
	differences("", reflect.ValueOf(was), reflect.ValueOf(now), &list)
	slices.Sort(list)
	return slices.Compact(list)
}

func differences(path string, was, now reflect.Value, list *[]string) {
	if was.Kind() == reflect.Struct {
		for i := range was.NumField() {
			name := []rune(was.Type().Field(i).Name)
			name[0] = unicode.ToLower(name[0])
			inner := path + "." + string(name)
			if path == "" {
				inner = string(name)
			}
			if was.Type().Field(i).Anonymous {
				inner = path
			}
			differences(inner, was.Field(i), now.Field(i), list)
		}
		return
	}
	if !reflect.DeepEqual(was.Interface(), now.Interface()) {
		*list = append(*list, fmt.Sprintf("%s %v, now %v", path, was.Interface(), now.Interface()))
	}
}
