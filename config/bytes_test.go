package config

import "testing"

func TestSizesAreReadAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]Bytes{"5GB": 5e9, "5gb": 5e9, "500M": 5e8, "1.5GiB": 3 << 29, "4096": 4096, "2 K": 2000, "0": 0, "12B": 12, "1T": 1e12} {
		var b Bytes
		if err := b.UnmarshalText([]byte(text)); err != nil || b != want {
			t.Errorf("%q is %d, %v; want %d", text, b, err, want)
		}
		out, _ := b.MarshalText()
		var again Bytes
		if err := again.UnmarshalText(out); err != nil || again != b {
			t.Errorf("%d was written as %s and read as %d, %v", b, out, again, err)
		}
	}
	for _, text := range []string{"", "GB", "-1", "5XB", "1e30", "NaN", "many"} {
		var b Bytes
		if err := b.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is %d", text, b)
		}
	}
}
