package instruct

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lian/chat"
	"lian/data"
	"lian/data/document"
	"lian/index"
)

// prepare cleans a folder and makes questions about it.
func prepare(t *testing.T, input string, o Options) (dir string, report *Report) {
	t.Helper()
	dir = t.TempDir()
	_, err := data.Run(context.Background(), data.Options{
		Input: []string{input}, Output: dir, Seed: 1, HeldOut: 0.05, MaxBytes: 1 << 26, GoBytes: 1 << 20, MaxFileBytes: 1 << 26, Similarity: 0.8, MinTrainBytes: 1 << 20,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	report, err = Make(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return dir, report
}

var defaults = Options{Seed: 1, Examples: 8000, Questions: 150, AgentQuestions: 60}

func all[T any](t *testing.T, path string, read func(string) func(func(T, error) bool)) []T {
	t.Helper()
	var list []T
	for v, err := range read(path) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	return list
}

func loadAll(t *testing.T, dir string) (train []Example, questions, agent []Question) {
	examples := func(p string) func(func(Example, error) bool) { return ReadExamples(p) }
	asked := func(p string) func(func(Question, error) bool) { return ReadQuestions(p) }
	return all(t, filepath.Join(dir, "instruct", TrainFile), examples),
		all(t, filepath.Join(dir, "instruct", QuestionsFile), asked),
		all(t, filepath.Join(dir, "instruct", AgentFile), asked)
}

// What must hold of any corpus.
func checkSet(t *testing.T, dir string) {
	t.Helper()
	train, questions, agent := loadAll(t, dir)
	documents, err := readAll(dir)
	if err != nil {
		t.Fatal(err)
	}
	split := map[string]string{}
	for _, d := range documents {
		split[d.ID] = d.Split
	}
	asked := map[string]bool{}
	for _, e := range train {
		if e.Document != "" && split[e.Document] != document.Train {
			t.Errorf("%s is made of a held-out document", e.ID)
		}
		asked[e.Template+e.Messages[0].Content] = true
		last := e.Messages[len(e.Messages)-1]
		if last.Role != chat.RoleAssistant || last.Content != e.Answer {
			t.Errorf("%s does not end with its answer", e.ID)
		}
		for i, m := range e.Messages {
			if len(m.ToolCalls) == 0 {
				continue
			}
			if len(e.Tools) == 0 || !slices.ContainsFunc(e.Tools, func(tool chat.Tool) bool { return tool.Name == m.ToolCalls[0].Name }) {
				t.Errorf("%s calls a tool it does not offer", e.ID)
			}
			if result := e.Messages[i+1].Content; result != index.NoHits && !holds(result, e.Answer) {
				t.Errorf("%s: the result %q does not hold the answer %q", e.ID, e.Messages[i+1].Content, e.Answer)
			}
		}
	}
	positions := map[int]map[int]int{} // choices → position → right ones
	ids := map[string]bool{}
	for _, q := range append(questions, agent...) {
		if ids[q.ID] {
			t.Errorf("%s occurs twice", q.ID)
		}
		ids[q.ID] = true
		if q.Document != "" && split[q.Document] != document.HeldOut {
			t.Errorf("%s is about a document that is trained on", q.ID)
		}
		if asked[q.Template+q.Messages[0].Content] {
			t.Errorf("%s is asked in training too", q.ID)
		}
		if q.Chance < 0 || q.Chance > 1 {
			t.Errorf("%s: chance %v", q.ID, q.Chance)
		}
		switch q.Task {
		case TaskChoice:
			if q.Choices[q.AnswerIndex] != q.Answer {
				t.Errorf("%s: choice %d of %q is not %q", q.ID, q.AnswerIndex, q.Choices, q.Answer)
			}
			if sorted := slices.Sorted(slices.Values(q.Choices)); len(slices.Compact(sorted)) != len(q.Choices) {
				t.Errorf("%s: a choice twice: %q", q.ID, q.Choices)
			}
			if positions[len(q.Choices)] == nil {
				positions[len(q.Choices)] = map[int]int{}
			}
			positions[len(q.Choices)][q.AnswerIndex]++
		case TaskTool, TaskAgent:
			if q.Call == nil || len(q.Tools) != 2 {
				t.Errorf("%s: no call or tools", q.ID)
			}
		}
	}
	for n, counts := range positions {
		total, most := 0, 0
		for _, c := range counts {
			total += c
			most = max(most, c)
		}
		if total >= 10*n && most*n > total*2 {
			t.Errorf("of %d questions with %d choices the right one is at one position %d times", total, n, most)
		}
	}
}

func TestThirtyNotes(t *testing.T) {
	dir, report := prepare(t, filepath.Join("testdata", "notes"), defaults)
	checkSet(t, dir)
	if report.Language != document.Chinese {
		t.Errorf("language %s", report.Language)
	}
	train, questions, agent := loadAll(t, dir)
	counts := map[string]int{}
	for _, q := range questions {
		counts[q.Task]++
	}
	if len(train) < 300 || counts[TaskChoice] < 15 || counts[TaskExact] < 15 || counts[TaskTool] < 15 || len(agent) < 6 {
		t.Errorf("%d examples, questions %v, %d for agents", len(train), counts, len(agent))
	}
	prompts, err := ReadPrompts(filepath.Join(dir, "instruct"))
	if err != nil || len(prompts.Probes) != 5 || len(prompts.Suggestions) < 5 {
		t.Errorf("prompts %+v %v", prompts, err)
	}
	t.Logf("%d examples %v\nquestions %v, %d for agents, chance %v\nunused %v %v", len(train), report.Templates, counts, len(agent), report.Chance, report.Unused, report.Notes)
}

func TestPoems(t *testing.T) {
	in := filepath.Join(t.TempDir(), "poems")
	if err := os.MkdirAll(in, 0o755); err != nil {
		t.Fatal(err)
	}
	type poem struct {
		Title      string   `json:"title"`
		Author     string   `json:"author"`
		Paragraphs []string `json:"paragraphs"`
	}
	characters := []rune("天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏闰余成岁律吕调阳云腾致雨露结为霜金生丽水玉出昆冈剑号巨阙珠称夜光果珍李柰菜重芥姜海咸河淡鳞潜羽翔")
	draw := func(seed, n int) string {
		var b strings.Builder
		for k := range n {
			b.WriteRune(characters[int(mix(uint64(seed), fmt.Sprint(k)))&0xffff%len(characters)])
		}
		return b.String()
	}
	var poems []poem
	for i := range 200 {
		size := 5 + i%2*2
		p := poem{Title: "咏" + draw(i, 2), Author: draw(i%17+1000, 3)}
		for k := range 4 {
			p.Paragraphs = append(p.Paragraphs, draw(i*10+k+5000, size)+"，"+draw(i*10+k+9000, size)+"。")
		}
		poems = append(poems, p)
	}
	content, err := json.Marshal(poems)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(in, "p.json"), content, 0o644); err != nil {
		t.Fatal(err)
	}
	dir, report := prepare(t, in, defaults)
	checkSet(t, dir)
	for _, name := range []string{"write", "next", "form", "part", "author_given", "who", "search", "calculate"} {
		if report.Templates[name] == 0 {
			t.Errorf("no example of template %s", name)
		}
	}
	x, err := OpenIndex(dir)
	if err != nil || x.Len() < 150 {
		t.Fatalf("index: %v", err)
	}
	if got := index.Format(x.Search(poems[0].Title, 1)); !strings.Contains(got, "\n") {
		t.Errorf("found %q", got)
	}
}

func TestEqualInputsGiveEqualBytes(t *testing.T) {
	a, _ := prepare(t, filepath.Join("testdata", "notes"), defaults)
	b, _ := prepare(t, filepath.Join("testdata", "notes"), defaults)
	other := defaults
	other.Seed = 2
	c, _ := prepare(t, filepath.Join("testdata", "notes"), other)
	for _, name := range []string{TrainFile, HeldOutFile, QuestionsFile, AgentFile, PromptsFile, ReportFile} {
		read := func(dir string) []byte {
			content, err := os.ReadFile(filepath.Join(dir, "instruct", name))
			if err != nil {
				t.Fatal(err)
			}
			return content
		}
		if !bytes.Equal(read(a), read(b)) {
			t.Errorf("%s differs between two runs", name)
		}
		if name == TrainFile && bytes.Equal(read(a), read(c)) {
			t.Errorf("%s does not depend on the seed", name)
		}
	}
}

func TestForm(t *testing.T) {
	for lines, want := range map[string]string{
		"床前明月光，疑是地上霜。": "五言", "两个黄鹂鸣翠柳，一行白鹭上青天。\n窗含西岭千秋雪，门泊东吴万里船。": "七言",
		"君不见黄河之水天上来，奔流到海不复回。": "", "床前明月光，疑是□上霜。": "", "": "", "one two": "",
	} {
		if got := form(lines); got != want {
			t.Errorf("%q: %q, want %q", lines, got, want)
		}
	}
}

func TestReturnsError(t *testing.T) {
	for signature, want := range map[string]string{
		"func Open(name string) (*File, error)": "yes", "func (b *B) Len() int": "no", "func F(err error)": "no",
		"func F[T any](x T) (n int, err error)": "yes", "type T int": "", "func (": "",
	} {
		if got := returnsError(signature); got != want {
			t.Errorf("%s: %q, want %q", signature, got, want)
		}
	}
}

func TestTemplateFilesAreSound(t *testing.T) {
	all, err := load()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"go", "poem", "markdown", "text", "html", "record", "code", "calculate"} {
		for _, language := range []string{"en", "zh"} {
			set, err := For(kind, language)
			if err != nil {
				t.Errorf("%s %s: %v", kind, language, err)
				continue
			}
			if kind != "calculate" && len(set.Probes) != 5 {
				t.Errorf("%s %s: %d probes", kind, language, len(set.Probes))
			}
		}
	}
	if len(all) < 8 {
		t.Errorf("%d files", len(all))
	}
	for _, bad := range []string{
		"kinds: [go]\ntemplates: [{name: a, tasks: [choice], weight: 1, ask: q, answer: a}]",
		"kinds: [go]\ntemplates: [{name: a, tasks: [tool], weight: 1, ask: q, answer: a}]",
		"kinds: [go]\ntemplates: [{name: a, tasks: [chat], ask: q, answer: a}]",
		"kinds: [go]\nsuggestions: [absent]", "kindz: [go]",
	} {
		if _, err := parse("bad.yaml", []byte(bad)); err == nil {
			t.Errorf("accepted %q", bad)
		}
	}
	for _, tool := range Tools("zh") {
		if !json.Valid(tool.Parameters) || tool.Description == "" {
			t.Errorf("tool %+v", tool)
		}
	}
}

func TestSumsAreRightAndSidesApart(t *testing.T) {
	train := map[string]bool{}
	for _, f := range expressions(1000, 1, false) {
		train[f["expression"]] = true
		var a, b, want int
		var operator string
		if _, err := fmt.Sscanf(f["expression"], "%d %s %d", &a, &operator, &b); err != nil {
			t.Fatal(err)
		}
		switch operator {
		case "+":
			want = a + b
		case "-":
			want = a - b
		case "*":
			want = a * b
		}
		if f["result"] != fmt.Sprint(want) {
			t.Errorf("%s = %s", f["expression"], f["result"])
		}
	}
	for _, f := range expressions(50, 2, true) {
		if train[f["expression"]] {
			t.Errorf("%s is on both sides", f["expression"])
		}
	}
}
