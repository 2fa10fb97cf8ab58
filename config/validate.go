package config

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Validator is a group of settings with a rule that no range tag can say, such as
// one setting that must be below another.
type Validator interface {
	Validate() error
}

// Validate checks every field against its range and calls Validate on every group
// that has it, the outermost last. All that is wrong is reported at once.
func Validate(c any) error {
	v, err := target(c)
	if err != nil {
		return err
	}
	var errs []error
	fields := walk(v.Type(), "", nil)
	for _, f := range fields {
		if !f.group {
			errs = append(errs, atField(f.Path, inRange(f.value(v), f.Range)))
		}
	}
	errs = append(errs, validateGroups(v, ""))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if rule, ok := c.(Validator); ok {
		return rule.Validate()
	}
	return nil
}

// validateGroups calls Validate of the structs within a struct, the inner ones
// first. An embedded struct's method is also its owner's and is not called twice.
func validateGroups(v reflect.Value, prefix string) error {
	var errs []error
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		name, inline, skip := key(sf)
		if skip || (!inline && !isGroup(sf.Type)) {
			continue
		}
		path := prefix
		if !inline {
			path += name + "."
		}
		errs = append(errs, validateGroups(v.Field(i), path))
		if sf.Anonymous {
			continue
		}
		if rule, ok := v.Field(i).Addr().Interface().(Validator); ok {
			if err := rule.Validate(); err != nil && path == "" {
				errs = append(errs, err)
			} else {
				errs = append(errs, atField(strings.TrimSuffix(path, "."), err))
			}
		}
	}
	return errors.Join(errs...)
}

// bounds is a parsed numeric range tag.
type bounds struct {
	low, high       float64
	hasLow, hasHigh bool
	excludeLow      bool
}

func parseBounds(tag string) (bounds, error) {
	low, high, found := strings.Cut(tag, "..")
	if !found {
		return bounds{}, fmt.Errorf("range %q is neither low..high nor a|b", tag)
	}
	var b bounds
	var err error
	if low, b.excludeLow = strings.CutPrefix(low, ">"); low != "" {
		b.hasLow = true
		if b.low, err = strconv.ParseFloat(low, 64); err != nil {
			return b, fmt.Errorf("range %q: %w", tag, err)
		}
	}
	if high != "" {
		b.hasHigh = true
		if b.high, err = strconv.ParseFloat(high, 64); err != nil {
			return b, fmt.Errorf("range %q: %w", tag, err)
		}
	}
	return b, nil
}

// choices are the values of an enumerating range tag, or nil.
func choices(tag string) []string {
	if tag == "" || strings.Contains(tag, "..") {
		return nil
	}
	return strings.Split(tag, "|")
}

// Choices are the values a field may take, or nil when it is not an enumeration.
func (f Field) Choices() []string { return choices(f.Range) }

func inRange(v reflect.Value, tag string) error {
	if tag == "" {
		return nil
	}
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	if v.Kind() == reflect.Slice {
		for i := range v.Len() {
			if err := inRange(v.Index(i), tag); err != nil {
				return fmt.Errorf("element %d: %w", i+1, err)
			}
		}
		return nil
	}
	if allowed := choices(tag); allowed != nil {
		text := textOf(v)
		for _, a := range allowed {
			if a == text {
				return nil
			}
		}
		err := fmt.Errorf("expected one of %s, found %q", strings.Join(allowed, ", "), text)
		if near := Nearest(text, allowed); near != "" && text != "" {
			err = fmt.Errorf("%w; did you mean %s?", err, near)
		}
		return err
	}
	b, err := parseBounds(tag)
	if err != nil {
		return err
	}
	var x float64
	switch {
	case v.CanInt():
		x = float64(v.Int())
		if typeName(v.Type()) == "duration" {
			x /= 1e9 // ranges of durations are in seconds
		}
	case v.CanUint():
		x = float64(v.Uint())
	case v.CanFloat():
		x = v.Float()
	default:
		return fmt.Errorf("range %q on %s, which is no number", tag, v.Type())
	}
	inside := !(b.hasLow && (x < b.low || b.excludeLow && x == b.low)) && !(b.hasHigh && x > b.high) && x == x
	if inside {
		return nil
	}
	return fmt.Errorf("expected %s, found %s", b, textOf(v))
}

// String says a range in words.
func (b bounds) String() string {
	low := strconv.FormatFloat(b.low, 'g', -1, 64)
	high := strconv.FormatFloat(b.high, 'g', -1, 64)
	above := "at least " + low
	if b.excludeLow {
		above = "more than " + low
	}
	switch {
	case b.hasLow && b.hasHigh && !b.excludeLow:
		return "a value from " + low + " to " + high
	case b.hasLow && b.hasHigh:
		return above + " and at most " + high
	case b.hasLow:
		return above
	}
	return "at most " + high
}
