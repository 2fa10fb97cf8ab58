package ui

import (
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"lian/message"
)

// text is a result for people: a list of structs is a table, a struct is a table
// of names and values with its lists of structs below.
func (o *Out) text(v any) string {
	if t, ok := v.(Texter); ok {
		return strings.TrimRight(t.Text(o.Lang), "\n") + "\n"
	}
	width := o.width(o.stdout)
	if t, ok := v.(Table); ok {
		return t.String(width)
	}
	value := deref(reflect.ValueOf(v))
	if !value.IsValid() {
		return ""
	}
	switch {
	case isScalar(value):
		return o.cell(value) + "\n"
	case value.Kind() == reflect.Slice:
		if value.Len() == 0 {
			return o.T("ui.nothing") + "\n"
		}
		return o.list("", value).String(width)
	case value.Kind() == reflect.Map:
		return o.pairs(mapFields(value)).String(width)
	}
	var b strings.Builder
	flat, lists := split(value, "")
	b.WriteString(o.pairs(flat).String(width))
	for _, f := range lists {
		if f.value.Len() > 0 {
			b.WriteString("\n" + o.list(o.label(f.name), f.value).String(width))
		}
	}
	return b.String()
}

// named is a value with the name it has in JSON.
type named struct {
	name  string
	value reflect.Value
}

// fields are the exported fields of a struct as JSON names them, without those
// that are empty and marked omitempty or omitzero.
func fields(v reflect.Value, all bool) []named {
	var out []named
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		name, options, _ := strings.Cut(sf.Tag.Get("json"), ",")
		if sf.Anonymous && name == "" && deref(v.Field(i)).Kind() == reflect.Struct {
			out = append(out, fields(deref(v.Field(i)), all)...)
			continue
		}
		if !sf.IsExported() || name == "-" || (!all && strings.HasPrefix(options, "omit") && v.Field(i).IsZero()) {
			continue
		}
		if name == "" {
			name = sf.Name
		}
		out = append(out, named{name, v.Field(i)})
	}
	return out
}

// split sorts the fields of a struct into values and lists of structs; the fields
// of a struct within it come with its name in front.
func split(v reflect.Value, prefix string) (flat, lists []named) {
	for _, f := range fields(v, false) {
		value := deref(f.value)
		switch {
		case !value.IsValid():
		case value.Kind() == reflect.Struct && !isScalar(value):
			a, b := split(value, prefix+f.name+".")
			flat, lists = append(flat, a...), append(lists, b...)
		case isTable(value):
			lists = append(lists, named{prefix + f.name, value})
		default:
			flat = append(flat, named{prefix + f.name, value})
		}
	}
	return flat, lists
}

// isTable says whether a value is a list of structs.
func isTable(v reflect.Value) bool {
	if v.Kind() != reflect.Slice {
		return false
	}
	t := v.Type().Elem()
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct && !isScalar(reflect.New(t).Elem())
}

func mapFields(v reflect.Value) []named {
	var out []named
	for _, k := range v.MapKeys() {
		out = append(out, named{fmt.Sprint(k.Interface()), deref(v.MapIndex(k))})
	}
	slices.SortFunc(out, func(a, b named) int { return strings.Compare(a.name, b.name) })
	return out
}

func (o *Out) pairs(fields []named) Table {
	t := Table{Columns: []Column{{}, {}}}
	for _, f := range fields {
		t.Rows = append(t.Rows, []string{o.label(f.name), o.cell(f.value)})
	}
	return t
}

func (o *Out) list(title string, v reflect.Value) Table {
	t := Table{Title: title}
	for i := range v.Len() {
		element := deref(v.Index(i))
		if !element.IsValid() || element.Kind() != reflect.Struct || isScalar(element) {
			t.Rows = append(t.Rows, []string{o.cell(element)})
			continue
		}
		var row []string
		for j, f := range fields(element, true) {
			if i == 0 {
				t.Columns = append(t.Columns, Column{Name: o.label(f.name), Right: isNumber(deref(f.value))})
			}
			if j < len(t.Columns) && isNumber(deref(f.value)) {
				t.Columns[j].Right = true
			}
			row = append(row, o.cell(deref(f.value)))
		}
		t.Rows = append(t.Rows, row)
	}
	return dropEmpty(t)
}

// dropEmpty leaves out columns that no row fills.
func dropEmpty(t Table) Table {
	for c := len(t.Columns) - 1; c >= 0; c-- {
		filled := slices.ContainsFunc(t.Rows, func(row []string) bool { return c < len(row) && row[c] != "" })
		if !filled {
			t.Columns = slices.Delete(t.Columns, c, c+1)
			for i, row := range t.Rows {
				if c < len(row) {
					t.Rows[i] = slices.Delete(row, c, c+1)
				}
			}
		}
	}
	return t
}

// label is a field's name for people: the message "field.NAME" if there is one.
func (o *Out) label(name string) string {
	parts := strings.Split(name, ".")
	for i, part := range parts {
		if key := "field." + strings.ToLower(part); message.Has(key) {
			parts[i] = o.T(key)
		} else {
			parts[i] = strings.ReplaceAll(part, "_", " ")
		}
	}
	return strings.Join(parts, " ")
}

func deref(v reflect.Value) reflect.Value {
	for v.IsValid() && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) {
		v = v.Elem()
	}
	return v
}

func isScalar(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Struct:
		_, text := v.Interface().(encoding.TextMarshaler)
		return text // time.Time is one
	case reflect.Slice:
		return v.Type().Elem().Kind() == reflect.Uint8
	case reflect.Map:
		return false
	}
	return true
}

func isNumber(v reflect.Value) bool {
	return v.IsValid() && (v.CanInt() || v.CanUint() || v.CanFloat())
}

// cell is a value as a person reads it.
func (o *Out) cell(v reflect.Value) string {
	v = deref(v)
	if !v.IsValid() {
		return ""
	}
	switch x := v.Interface().(type) {
	case time.Time:
		if x.IsZero() {
			return ""
		}
		return x.Local().Format("2006-01-02 15:04:05")
	case time.Duration:
		return Duration(x)
	case json.RawMessage:
		return string(x)
	case []byte:
		return string(x)
	case fmt.Stringer:
		return x.String()
	case encoding.TextMarshaler:
		if text, err := x.MarshalText(); err == nil {
			return string(text)
		}
	}
	switch v.Kind() {
	case reflect.Bool:
		if v.Bool() {
			return o.T("ui.yes")
		}
		return o.T("ui.no")
	case reflect.Float32, reflect.Float64:
		return Number(v.Float())
	case reflect.Slice, reflect.Array:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = o.cell(v.Index(i))
		}
		return strings.Join(parts, ", ")
	case reflect.Map:
		var parts []string
		for _, f := range mapFields(v) {
			parts = append(parts, f.name+"="+o.cell(f.value))
		}
		return strings.Join(parts, ", ")
	case reflect.Struct:
		var parts []string
		for _, f := range fields(v, false) {
			parts = append(parts, f.name+"="+o.cell(f.value))
		}
		return strings.Join(parts, ", ")
	}
	if v.Type().PkgPath() != "" && v.Kind() == reflect.String { // an enumeration, such as a status
		if key := "value." + v.String(); message.Has(key) {
			return o.T(key)
		}
	}
	return fmt.Sprint(v.Interface())
}

// Number writes a number with four significant digits, or all of a whole one.
func Number(x float64) string {
	switch {
	case x == math.Trunc(x) && math.Abs(x) < 1e15:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case math.Abs(x) >= 1000 && math.Abs(x) < 1e15:
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return strconv.FormatFloat(x, 'g', 4, 64)
}

// Duration writes a time span in the two largest units that matter: 1h05m, 3m20s,
// 2.5s, 12ms.
func Duration(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + Duration(-d)
	case d >= time.Hour:
		d = d.Round(time.Minute)
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	case d >= time.Minute:
		d = d.Round(time.Second)
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d >= 10*time.Second:
		return fmt.Sprintf("%ds", int(d.Round(time.Second).Seconds()))
	case d >= time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d >= time.Millisecond:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d == 0:
		return "0s"
	}
	return d.String()
}

// Bytes writes a size in binary units: 512 B, 1.5 MiB.
func Bytes(n int64) string {
	if n < 1024 && n > -1024 {
		return fmt.Sprintf("%d B", n)
	}
	x, unit := float64(n)/1024, 0
	for math.Abs(x) >= 1024 && unit < 4 {
		x, unit = x/1024, unit+1
	}
	return fmt.Sprintf("%.1f %s", x, []string{"KiB", "MiB", "GiB", "TiB", "PiB"}[unit])
}
