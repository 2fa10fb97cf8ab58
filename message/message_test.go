package message

import (
	"maps"
	"testing"
)

func TestEveryMessageIsThereInBothLanguages(t *testing.T) {
	for _, wrong := range Check() {
		t.Error(wrong)
	}
}

func TestVerbsAreComparedByPosition(t *testing.T) {
	for _, c := range []struct {
		a, b  string
		equal bool
	}{
		{"%d of %s", "%[2]s 的 %[1]d", true},
		{"%d of %s", "%s 的 %d", false},
		{"%5.2f%%", "%f%%", true},
		{"%s", "", false},
		{"%-12s|", "%s", true},
		{"100%% %s", "百分百 %s", true},
	} {
		if got := maps.Equal(verbs(c.a), verbs(c.b)); got != c.equal {
			t.Errorf("%q and %q: equal = %v, want %v (%v, %v)", c.a, c.b, got, c.equal, verbs(c.a), verbs(c.b))
		}
	}
}

func TestUnknownKeysAndLanguages(t *testing.T) {
	if got := Text(Chinese, "no.such", 3); got != "[no.such] [3]" {
		t.Errorf("unknown key = %q", got)
	}
	if got, want := Text("fr", "language.name"), "English"; got != want {
		t.Errorf("unknown language = %q, want %q", got, want)
	}
	if got, want := Text(Chinese, "language.name"), "中文"; got != want {
		t.Errorf("Chinese = %q, want %q", got, want)
	}
}

func TestTwoFilesCannotDefineOneKey(t *testing.T) {
	tab := tables{entries: map[string]entry{}}
	if err := tab.add("a.yaml", []byte("k: {en: a, zh: 甲}")); err != nil {
		t.Fatal(err)
	}
	if err := tab.add("b.yaml", []byte("k: {en: b, zh: 乙}")); err == nil {
		t.Error("a key was defined twice")
	}
	if err := tab.add("c.yaml", []byte("x: {en: b, zh: 乙, fr: c}")); err == nil {
		t.Error("an unknown language was read")
	}
}

func TestTheLocaleChoosesTheLanguage(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"LANG": "zh_CN.UTF-8"}, Chinese},
		{map[string]string{"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, English},
		{map[string]string{"LANG": "en_GB", "LIAN_LANG": "zh"}, Chinese},
		{map[string]string{"LANG": "de_DE"}, English},
		{nil, English},
	} {
		if got := Detect(func(k string) string { return c.env[k] }); got != c.want {
			t.Errorf("%v: %s, want %s", c.env, got, c.want)
		}
	}
}

func TestTableHasTheTextsOfAnArea(t *testing.T) {
	if got := Table(Chinese, "language."); got["language.name"] != "中文" {
		t.Errorf("table = %v", got)
	}
}

// TestWhatIsLookedUpIsWhatIsParsed holds the quick way to a text against parsing all files.
func TestWhatIsLookedUpIsWhatIsParsed(t *testing.T) {
	all := load().entries
	if len(all) == 0 || len(all) != len(places()) {
		t.Errorf("%d keys are parsed, %d are found", len(all), len(places()))
	}
	for key, want := range all {
		if got, ok := lookup(key); !ok || got != want {
			t.Errorf("%s: looked up %+v (%v), parsed %+v", key, got, ok, want)
		}
	}
}
