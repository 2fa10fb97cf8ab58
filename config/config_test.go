package config

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"pgregory.net/rapid"
)

type lora struct {
	Rank    int      `yaml:"rank" help:"rank of the update" default:"8" range:"1..1024"`
	Alpha   float64  `yaml:"alpha" help:"scale" default:"16" range:">0.."`
	Targets []string `yaml:"targets" help:"modules" default:"q,k,v,o"`
}

func (l lora) Validate() error {
	if l.Rank > 100 && l.Alpha < 1 {
		return errors.New("alpha below 1 needs a rank of at most 100")
	}
	return nil
}

type source struct {
	Path   string  `yaml:"path"`
	Weight float64 `yaml:"weight" range:"0..1"`
}

type common struct {
	Seed uint64 `yaml:"seed" help:"seed of all randomness" default:"1"`
}

type options struct {
	common      `yaml:",inline"`
	Rate        float64           `yaml:"lr" help:"peak learning rate" default:"3e-4" range:"0..1"`
	Method      string            `yaml:"method" help:"what is trained" default:"full" range:"full|lora"`
	VocabSize   int               `yaml:"vocab_size" help:"entries" default:"4096" range:"256.."`
	Minutes     time.Duration     `yaml:"budget" help:"time" default:"10m" range:"1.."`
	Plan        bool              `yaml:"plan" help:"print the plan and stop"`
	LoRA        lora              `yaml:"lora"`
	Labels      map[string]string `yaml:"labels" help:"free text"`
	Sources     []source          `yaml:"sources" help:"inputs"`
	Temperature *float32          `yaml:"temperature" help:"unset: the model's own" range:"0..2"`
	Extra       any               `yaml:"extra"`
	Hidden      int               `yaml:"-"`
	private     int
}

func fresh(t testing.TB) *options {
	t.Helper()
	var o options
	if err := Defaults(&o); err != nil {
		t.Fatal(err)
	}
	return &o
}

func TestDefaultsComeFromTags(t *testing.T) {
	o := fresh(t)
	if o.Rate != 3e-4 || o.Seed != 1 || o.Minutes != 10*time.Minute || o.LoRA.Rank != 8 || !reflect.DeepEqual(o.LoRA.Targets, []string{"q", "k", "v", "o"}) {
		t.Errorf("defaults = %+v", o)
	}
	kept := options{Rate: 0.5}
	if err := Defaults(&kept); err != nil || kept.Rate != 0.5 {
		t.Errorf("a value that was set became %v, %v", kept.Rate, err)
	}
}

func TestDecodeSetsWhatTheDocumentNames(t *testing.T) {
	o := fresh(t)
	err := Decode([]byte("# 注释\nlr: 0.01\nseed: 7\nplan: true\nlora:\n  rank: 16\n  targets: [gate, up]\nlabels: {名字: 诗}\nsources:\n- {path: a, weight: 0.5}\n- path: 文.txt\ntemperature: 0.7\nextra: [1, x]\n"), "a.yaml", o)
	if err != nil {
		t.Fatal(err)
	}
	if o.Rate != 0.01 || o.Seed != 7 || !o.Plan || o.LoRA.Rank != 16 || o.LoRA.Alpha != 16 || o.Labels["名字"] != "诗" ||
		len(o.Sources) != 2 || o.Sources[1].Path != "文.txt" || *o.Temperature != 0.7 || len(o.Extra.([]any)) != 2 {
		t.Errorf("decoded = %+v", o)
	}
}

func TestMistakesAreNamedWithPlaceAndRemedy(t *testing.T) {
	for _, c := range []struct{ why, yaml, want string }{
		{"misspelt key in a group", "lora:\n  rnak: 4", "a.yaml:2: lora.rnak: no such setting; did you mean lora.rank?"},
		{"swapped letters", "ser: 1\nmehtod: full", "a.yaml:2: mehtod: no such setting; did you mean method?"},
		{"hyphen for underscore", "vocab-size: 512", "a.yaml:1: vocab-size: no such setting; did you mean vocab_size?"},
		{"key at the wrong depth", "rank: 4", "a.yaml:1: rank: no such setting; did you mean lora.rank?"},
		{"nothing is near", "zzzzzz: 4", "a.yaml:1: zzzzzz: no such setting; there are seed, lr, method, vocab_size, budget, plan, lora, labels, sources, temperature, extra"},
		{"twice", "lr: 0.1\nlr: 0.2", "a.yaml:2: lr: set twice; the first is on line 1"},
		{"too large", "lr: 2", "a.yaml:1: lr: expected a value from 0 to 1, found 2"},
		{"too small", "vocab_size: 1", "a.yaml:1: vocab_size: expected at least 256, found 1"},
		{"excluded end", "lora: {alpha: 0}", "a.yaml:1: lora.alpha: expected more than 0, found 0"},
		{"not one of", "method: lroa", `a.yaml:1: method: expected one of full, lora, found "lroa"; did you mean lora?`},
		{"wrong type", "seed: many", `a.yaml:1: seed: expected a whole number that is not negative, found "many"`},
		{"fraction", "vocab_size: 300.5", `a.yaml:1: vocab_size: expected a whole number, found "300.5"`},
		{"overflow", "vocab_size: 99999999999999999999", "a.yaml:1: vocab_size: expected a whole number, found 99999999999999999999, which is out of range"},
		{"not a number", "lr: .nan", `a.yaml:1: lr: expected a number, found ".nan"`},
		{"list for a value", "lr: [1]", "a.yaml:1: lr: expected number, found a list"},
		{"value for a group", "lora: 3", `a.yaml:1: lora: expected settings as key: value, found "3"`},
		{"value for a list", "lora: {targets: q}", `a.yaml:1: lora.targets: expected a list such as [q], found "q"`},
		{"within a list", "sources:\n- {path: a, wieght: 1}", "a.yaml:2: sources[0].wieght: no such setting; did you mean sources[0].weight?"},
		{"range within a list", "sources:\n- {weight: 3}", "a.yaml:2: sources[0].weight: expected a value from 0 to 1, found 3"},
		{"left out on purpose", "hidden: 3", "a.yaml:1: hidden: no such setting"},
		{"bad YAML", "lr: 1\n\t- x", "a.yaml:2: not valid YAML: "},
		{"a boolean where text belongs", "method: yes\nlabels: {a: true}", `expected text, found true; put it in quotes`},
	} {
		o := fresh(t)
		err := Decode([]byte(c.yaml), "a.yaml", o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s:\n got %v\nwant %s", c.why, err, c.want)
		}
		if !reflect.DeepEqual(o, fresh(t)) {
			t.Errorf("%s: the settings changed although there was an error", c.why)
		}
	}
}

func TestAllMistakesAreReportedAtOnce(t *testing.T) {
	err := Decode([]byte("lr: 3\nmethdo: x\nlora: {rank: 0}"), "a.yaml", fresh(t))
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("got %v, want three lines", err)
	}
}

func TestSetWritesOneField(t *testing.T) {
	o := fresh(t)
	for _, a := range []string{"lora.rank=32", "lora.targets=a,b", "labels.颜色=红=赤", "budget=90s", "plan=yes", "temperature=1", "sources=[{path: x, weight: 1}]", "seed=1_000"} {
		if err := Set(o, a); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
	if o.LoRA.Rank != 32 || len(o.LoRA.Targets) != 2 || o.Labels["颜色"] != "红=赤" || o.Minutes != 90*time.Second || !o.Plan || o.Sources[0].Path != "x" || o.Seed != 1000 {
		t.Errorf("set = %+v", o)
	}
	for _, c := range [][2]string{
		{"lora=1", "lora: is a group of settings; set one of them, such as lora.rank"},
		{"lora.rnak=1", "lora.rnak: no such setting; did you mean lora.rank?"},
		{"lr", "lr: expected setting=value, such as lr=0.001"},
		{"lr=7", "lr: expected a value from 0 to 1, found 7"},
		{"sources=[{pth: x}]", "no such setting; did you mean"},
	} {
		if err := Set(o, c[0]); err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: got %v, want %s", c[0], err, c[1])
		}
	}
}

func TestFlagsWinOverTheFile(t *testing.T) {
	o := fresh(t)
	flags := pflag.NewFlagSet("x", pflag.ContinueOnError)
	if err := BindFlags(flags, o); err != nil {
		t.Fatal(err)
	}
	if err := flags.Parse([]string{"--lr=0.5", "--plan", "--lora.targets", "a", "--lora.targets", "b,c", "--vocab-size", "300"}); err != nil {
		t.Fatal(err)
	}
	if err := Decode([]byte("lr: 0.1\nseed: 9\nplan: false\nlora: {targets: [z]}"), "f", o); err != nil {
		t.Fatal(err)
	}
	if err := ApplyFlags(flags); err != nil {
		t.Fatal(err)
	}
	if o.Rate != 0.5 || o.Seed != 9 || !o.Plan || strings.Join(o.LoRA.Targets, "") != "abc" || o.VocabSize != 300 {
		t.Errorf("resolved = %+v", o)
	}
	if err := flags.Parse([]string{"--lr=9"}); err == nil || !strings.Contains(err.Error(), "expected a value from 0 to 1") {
		t.Errorf("a flag out of range: %v", err)
	}
	if d := flags.Lookup("lora.rank").DefValue; d != "8" {
		t.Errorf("help shows %q as default", d)
	}
}

func TestValidateCallsRules(t *testing.T) {
	o := fresh(t)
	o.LoRA.Rank, o.LoRA.Alpha = 200, 0.5
	if err := Validate(o); err == nil || err.Error() != "lora: alpha below 1 needs a rank of at most 100" {
		t.Errorf("Validate = %v", err)
	}
	o = fresh(t)
	o.VocabSize = 3
	if err := Validate(o); err == nil || !strings.HasPrefix(err.Error(), "vocab_size: ") {
		t.Errorf("Validate = %v", err)
	}
	var inlined struct {
		Inner lora `yaml:",inline"`
	}
	inlined.Inner = lora{Rank: 200, Alpha: 0.5}
	if err := Validate(&inlined); err == nil || err.Error() != "alpha below 1 needs a rank of at most 100" {
		t.Errorf("Validate of an inlined group = %v", err)
	}
	if err := Validate(fresh(t)); err != nil {
		t.Errorf("defaults are not valid: %v", err)
	}
}

func TestMarshalIsReadBack(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		o := fresh(t)
		o.Rate = rapid.Float64Range(0, 1).Draw(r, "lr")
		o.Seed = rapid.Uint64().Draw(r, "seed")
		o.Method = rapid.SampledFrom([]string{"full", "lora"}).Draw(r, "method")
		o.LoRA.Targets = rapid.SliceOf(rapid.String()).Draw(r, "targets")
		o.Labels = rapid.MapOf(rapid.String(), rapid.StringMatching(`[a-z0-9:# 诗"'-]*|true|null|1e3|~`)).Draw(r, "labels")
		o.Sources = []source{{Path: rapid.String().Draw(r, "path"), Weight: 1}}
		var back options
		text := Marshal(o)
		if err := Decode(text, "f", &back); err != nil {
			r.Fatalf("%v\n%s", err, text)
		}
		if Hash(back) != Hash(o) || !reflect.DeepEqual(back.Labels, o.Labels) || back.Rate != o.Rate {
			r.Fatalf("%+v\nbecame\n%+v\nthrough\n%s", o, back, text)
		}
	})
}

func TestMarshalExplains(t *testing.T) {
	text := string(Marshal(fresh(t)))
	for _, want := range []string{"# peak learning rate\nlr: 0.0003\n", "lora:\n", "    rank: 8\n", "budget: 10m0s\n", "temperature: null\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestHashSeesValuesOnly(t *testing.T) {
	a, b := fresh(t), fresh(t)
	if Hash(a) != Hash(*b) {
		t.Error("equal settings have different hashes")
	}
	b.LoRA.Rank++
	if Hash(a) == Hash(b) {
		t.Error("different settings have equal hashes")
	}
}

func TestSchemaHasLimitsAndDefaults(t *testing.T) {
	var s struct {
		Properties map[string]struct {
			Type, Description string
			Default           any
			Minimum, Maximum  *float64
			Enum              []string
			Properties        map[string]struct{ ExclusiveMinimum *float64 }
		}
		AdditionalProperties bool
	}
	if err := json.Unmarshal(Schema(options{}), &s); err != nil {
		t.Fatal(err)
	}
	lr := s.Properties["lr"]
	if lr.Type != "number" || *lr.Maximum != 1 || lr.Default != 3e-4 || lr.Description != "peak learning rate" {
		t.Errorf("lr = %+v", lr)
	}
	if len(s.Properties["method"].Enum) != 2 || s.Properties["lora"].Properties["alpha"].ExclusiveMinimum == nil || s.Properties["budget"].Default != "10m0s" {
		t.Errorf("schema = %s", Schema(options{}))
	}
}

func TestFieldsAreInOrder(t *testing.T) {
	var paths []string
	for _, f := range Fields(&options{}) {
		paths = append(paths, f.Path)
	}
	want := "seed lr method vocab_size budget plan lora.rank lora.alpha lora.targets labels sources temperature extra"
	if strings.Join(paths, " ") != want {
		t.Errorf("fields = %v, want %s", paths, want)
	}
}

func TestATreeIsFlattened(t *testing.T) {
	tree, err := Tree([]byte(`{"b": [1, 2], "a": {"x": 0.5, "词": null}, "c": [{"k": "v"}], "d": []}`), "f")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range Flatten(tree) {
		got = append(got, v.Path+"="+v.Value)
	}
	if want := "a.x=0.5 a.词= b=1,2 c[0].k=v d="; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := Tree([]byte("a: [1"), "f.yaml"); err == nil || !strings.HasPrefix(err.Error(), "f.yaml:") {
		t.Errorf("bad YAML: %v", err)
	}
}

func TestAliasBombIsRefused(t *testing.T) {
	var b strings.Builder
	b.WriteString("extra: 1\nlabels: {x: y}\nsources:\n- &a {path: x}\n")
	doc := "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := 1; i < 10; i++ {
		prev := "*a" + string(rune('0'+i-1))
		doc += "a" + string(rune('0'+i)) + ": &a" + string(rune('0'+i)) + " [" + strings.Repeat(prev+",", 9) + prev + "]\n"
	}
	doc += "deep: *a9\n"
	var c struct {
		A0   []string       `yaml:"a0"`
		Deep [][][][][]any  `yaml:"deep"`
		Rest map[string]any `yaml:"a1"`
	}
	if err := Decode([]byte(doc), "f", &c); err == nil {
		t.Error("a document that expands to 10^10 nodes was read")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("lr: 0.1\nlora: {rank: 3}"))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("lora: &l\n  <<: *l"))
	f.Add([]byte("? [1]\n: 2"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		o := fresh(t)
		if err := Decode(doc, "f", o); err != nil {
			return
		}
		var back options
		if err := Decode(Marshal(o), "f", &back); err != nil && o.Extra == nil {
			t.Fatalf("%v\n%s", err, Marshal(o))
		}
	})
}
