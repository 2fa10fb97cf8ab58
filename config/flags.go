package config

import (
	"reflect"
	"strings"

	"github.com/spf13/pflag"
)

// BindFlags adds a flag for every field: --lr, --lora.rank, --vocab-size for
// vocab_size. A flag writes to c when it is parsed; a list flag that is given
// several times collects. c must hold its defaults already, so that help shows
// them. After c has been set from elsewhere (a --config file), ApplyFlags sets the
// given flags once more, so that the command line wins.
func BindFlags(flags *pflag.FlagSet, c any) error {
	v, err := target(c)
	if err != nil {
		return err
	}
	for _, f := range walk(v.Type(), "", nil) {
		if f.group {
			continue
		}
		value := &flagValue{field: f, c: v}
		flag := flags.VarPF(value, f.Flag(), "", f.Help)
		if f.typ.Kind() == reflect.Bool {
			flag.NoOptDefVal = "true"
		}
	}
	return nil
}

// ApplyFlags sets the fields whose flags were given once more.
func ApplyFlags(flags *pflag.FlagSet) error {
	var first error
	flags.Visit(func(flag *pflag.Flag) {
		if value, ok := flag.Value.(*flagValue); ok && first == nil {
			given := value.given
			value.given = nil
			for _, text := range given {
				if err := value.Set(text); err != nil && first == nil {
					first = err
				}
			}
		}
	})
	return first
}

// FlagField is the setting behind a flag that BindFlags made.
func FlagField(flag *pflag.Flag) (Field, bool) {
	value, ok := flag.Value.(*flagValue)
	if !ok {
		return Field{}, false
	}
	return value.field, true
}

// flagValue is a field as a pflag.Value.
type flagValue struct {
	field Field
	c     reflect.Value
	given []string // the texts given on the command line, in order
}

func (f *flagValue) Set(text string) error {
	before := reflect.ValueOf(f.field.value(f.c).Interface())
	if err := f.field.set(f.c, text); err != nil {
		return err
	}
	if now := f.field.value(f.c); now.Kind() == reflect.Slice && len(f.given) > 0 {
		now.Set(reflect.AppendSlice(before, now))
	}
	f.given = append(f.given, text)
	return nil
}

func (f *flagValue) String() string {
	if f == nil || !f.c.IsValid() { // pflag asks a zero value to tell whether a default is zero
		return ""
	}
	return textOf(f.field.value(f.c))
}

func (f *flagValue) Type() string {
	if allowed := f.field.Choices(); allowed != nil {
		return strings.Join(allowed, "|")
	}
	switch name := f.field.Type; {
	case name == "yes or no":
		return "bool" // pflag prints no type for it
	case strings.HasPrefix(name, "list of "):
		return "list"
	case strings.HasPrefix(name, "map of "):
		return "map"
	default:
		return name
	}
}
