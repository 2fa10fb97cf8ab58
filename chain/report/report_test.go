package report

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"lian/chain"
	"lian/message"
)

func fixture(t testing.TB, name string) *Card {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var c Card
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		t.Fatal(err)
	}
	return &c
}

func rendered(t testing.TB, c *Card) string {
	t.Helper()
	page, err := Render(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

func TestThePageShowsEveryPart(t *testing.T) {
	for _, name := range []string{"go.json", "poems.json"} {
		page := rendered(t, fixture(t, name))
		if dir := os.Getenv("LIAN_REPORT_OUT"); dir != "" { // to look at it
			if err := os.WriteFile(filepath.Join(dir, strings.TrimSuffix(name, ".json")+".html"), []byte(page), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		for _, want := range []string{"5.31\u00a0million", "531\u00a0万", "Q4_0", "not significant", "不显著", "one seed, untuned: not a comparison", "class=\"held\"", "class=\"funnel\"",
			"3-gram 2.96", "malformed", "AMD EPYC", "runs/demo", "6.1 ms"} {
			if !strings.Contains(page, want) {
				t.Errorf("%s: the page lacks %q", name, want)
			}
		}
		if at := strings.Index(page, "["+"report."); at >= 0 {
			t.Errorf("%s: a message is missing: %s", name, page[at:at+60])
		}
		if at := regexp.MustCompile(`%!|%\[|ZgotmplZ|&lt;no value|NaN`).FindStringIndex(page); at != nil {
			t.Errorf("%s: broken text: …%s…", name, page[max(0, at[0]-80):min(len(page), at[1]+80)])
		}
	}
}

func TestThePageLoadsNothing(t *testing.T) {
	page := rendered(t, fixture(t, "go.json"))
	if m := regexp.MustCompile(`(?i)(src|href)\s*=|url\(|@import|https?://`).FindString(page); m != "" {
		t.Errorf("the page refers to something outside: %q", m)
	}
}

func TestEveryPartIsOptional(t *testing.T) {
	full := fixture(t, "go.json")
	text, err := json.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil {
		t.Fatal(err)
	}
	for name := range parts {
		only, without := map[string]json.RawMessage{name: parts[name]}, map[string]json.RawMessage{}
		for other, part := range parts {
			if other != name {
				without[other] = part
			}
		}
		for _, m := range []map[string]json.RawMessage{only, without, {name: json.RawMessage("{}")}} {
			if name == "lang" && len(m) == 1 {
				continue
			}
			var c Card
			text, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(text, &c); err != nil {
				t.Fatal(err)
			}
			rendered(t, &c)
		}
	}
	if page := rendered(t, &Card{Lang: "zh"}); !strings.Contains(page, `data-lang="zh"`) || !strings.Contains(page, `http-equiv="refresh"`) {
		t.Error("an empty card is not a Chinese page that refreshes itself")
	}
}

func TestTextFromOutsideIsEscaped(t *testing.T) {
	c := fixture(t, "go.json")
	const attack = `<script>alert("x")</script>`
	c.Data.Source, c.Run.Error, c.Run.Name = attack, attack, attack
	c.Eval.Cases[0].After, c.Pretrain.Prompts[0].Text, c.Tokenizer.Sample[0] = attack, attack, attack
	c.Agent.Transcript[0].Role, c.Eval.Models[0], c.Data.Stages[0].Name = attack, attack, attack
	c.Quantize.Variants[0].Type, c.Environment.CPU = attack, attack
	if page := rendered(t, c); strings.Contains(page, attack) || strings.Contains(page, "<script>alert") {
		t.Error("text from outside reached the page as mark-up")
	}
}

func TestAPageInTheMakingSaysWhatIsGoingOn(t *testing.T) {
	c := fixture(t, "poems.json")
	c.Run.Finished, c.Eval, c.SFT, c.LoRA, c.Serve, c.Agent, c.Quantize = false, nil, nil, nil, nil, nil, nil
	c.Run.Stages[4].State = "running"
	page := rendered(t, c)
	for _, want := range []string{"正在学习", "Now: ", "当前：", `class="progress"`, `http-equiv="refresh"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestNumbersForPeople(t *testing.T) {
	for _, c := range []struct {
		got    words
		en, zh string
	}{
		{count(0), "0", "0"}, {count(999), "999", "999"}, {count(12345), "12,345", "12,345"},
		{count(5_310_976), "5.31 million", "531 万"}, {count(1_200_000_000), "1.2 billion", "12 亿"}, {count(996_000), "996,000", "99.6 万"}, {count(999_900), "1 million", "100 万"},
		{size(999), "999 B", "999 B"}, {size(5_730_000), "5.7 MB", "5.7 MB"}, {size(118_400_000), "118 MB", "118 MB"},
		{memory(1 << 30), "1.00 GiB", "1.00 GiB"}, {memory(300 << 20), "300 MiB", "300 MiB"},
		{duration(0.02), "20 ms", "20 毫秒"}, {duration(6.2), "6.2 s", "6.2 秒"}, {duration(271.8), "4 min 32 s", "4 分 32 秒"},
		{duration(600), "10 min", "10 分钟"}, {duration(59.7), "1 min", "1 分钟"}, {duration(7300), "2 h 1 min", "2 小时 1 分"},
		{plain(percent(0.694)), "69%", "69%"}, {plain(percent(0.021)), "2.1%", "2.1%"}, {plain(percent(0.999)), "99.9%", "99.9%"},
		{plain(points(-0.013)), "−1.3", "−1.3"}, {plain(points(0.0001)), "0", "0"}, {plain(probability(1e-9)), "p < 0.001", "p < 0.001"},
	} {
		spaces := strings.NewReplacer("\u00a0", " ")
		if spaces.Replace(c.got.en) != c.en || spaces.Replace(c.got.zh) != c.zh {
			t.Errorf("got %q, %q, want %q, %q", c.got.en, c.got.zh, c.en, c.zh)
		}
	}
}

func TestPartsOfStepsAreMerged(t *testing.T) {
	dir := t.TempDir()
	status := chain.Status{Name: "demo", Dir: dir, Command: "lian demo", Started: time.Now()}
	for name, part := range map[string]any{
		"data":     map[string]any{"data": Data{Source: "笔记", Train: Count{Documents: 30}}},
		"finetune": map[string]any{"sft": Finetune{Steps: 3}},
		"lora":     map[string]any{"lora": Finetune{Steps: 4}},
		"none":     nil,
	} {
		at := filepath.Join(dir, name)
		if err := os.Mkdir(at, 0o755); err != nil {
			t.Fatal(err)
		}
		status.Steps = append(status.Steps, chain.StepStatus{Name: name, Dir: at, State: chain.Done, Wall: 2})
		if part == nil {
			continue
		}
		text, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(at, chain.CardFile), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Collect(status, message.Chinese)
	if err != nil {
		t.Fatal(err)
	}
	if c.Data.Source != "笔记" || c.SFT.Steps != 3 || c.LoRA.Steps != 4 || c.Lang != "zh" || c.Run.Seconds() != 8 || len(c.Run.Stages) != 4 {
		t.Errorf("card = %+v", c)
	}
	if err := Write(dir, c); err != nil {
		t.Fatal(err)
	}
	var back Card
	text, err := os.ReadFile(filepath.Join(dir, JSONFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &back); err != nil || back.Data.Source != "笔记" {
		t.Errorf("%v, %+v", err, back)
	}
	status.Steps[0].State = chain.Waiting // what waits to be made anew is not shown
	if c, err = Collect(status, "en"); err != nil || len(c.Run.Stages) != 4 {
		t.Errorf("%v", err)
	}
}

func TestTicksAreRound(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		n         int
		want      string
	}{{2, 6, 6, "2 3 4 5 6"}, {0, 2_650_000, 5, "0 1000000 2000000"}, {1, 1, 3, "1"}, {0, 0.7, 5, "0 0.2 0.4 0.6"}} {
		var got []string
		for _, v := range ticks(c.low, c.high, c.n) {
			got = append(got, xy(v))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("ticks(%g, %g, %d) = %v, want %s", c.low, c.high, c.n, got, c.want)
		}
	}
}
