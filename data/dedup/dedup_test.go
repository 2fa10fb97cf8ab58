package dedup

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"lian/verify/shared"
)

func TestExactIgnoresBlanksAndCaseOnly(t *testing.T) {
	got := Exact([]string{"Spring comes.", "spring  comes.\n", "春眠不觉晓", "Spring came.", "春眠不觉晓", ""})
	if want := []int{0, 0, 2, 3, 2, 5}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestNearDuplicatesDoNotDependOnWorkers(t *testing.T) {
	var texts []string
	for i := range 300 {
		base := i / 3
		var b strings.Builder
		for k := range 120 {
			word := spell((base*7919 + k*31) % 9973)
			if k == i%3*40+1 {
				word = spell(20000 + i%3)
			}
			b.WriteString(word + " ")
		}
		texts = append(texts, b.String())
	}
	one, err := Near(context.Background(), texts, Options{Similarity: 0.8, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	four, err := Near(context.Background(), texts, Options{Similarity: 0.8, Workers: 4})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(one, four) {
		t.Error("1 and 4 workers disagree")
	}
	merged := 0
	for i, first := range one {
		if first/3 != i/3 {
			t.Errorf("text %d is said to repeat %d, another text", i, first)
		}
		if first != i {
			merged++
		}
	}
	if merged < 180 {
		t.Errorf("found %d of 200 near duplicates", merged)
	}
}

func TestChineseNearDuplicate(t *testing.T) {
	a := strings.Repeat("", 1) + "春天来了，小河边的柳树发出了新芽，孩子们在草地上放风筝，远处传来了鸟儿的歌声，大家都觉得很快乐，因为漫长的冬天终于过去了。"
	b := strings.Replace(a, "远处", "近处", 1) + "真好。"
	c := "北京市今天召开了关于城市交通的工作会议，会议讨论了地铁建设和公共汽车线路的调整方案，决定下个月开始实行新的票价。"
	got, err := Near(context.Background(), []string{a, b, c}, Options{Similarity: 0.6, Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	if want := []int{0, 0, 2}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Recall of true pairs at least that of datatrove's LSH, and no false cluster.
func TestRecallOnGoldenPairs(t *testing.T) {
	file, err := os.Open(shared.Path(t, "testdata", "golden", "data", "near_dup_docs.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzip, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	scanner := bufio.NewScanner(unzip)
	scanner.Buffer(nil, 1<<24)
	for scanner.Scan() {
		var row struct{ Text *string }
		if json.Unmarshal(scanner.Bytes(), &row) == nil && row.Text != nil {
			texts = append(texts, *row.Text)
		}
	}
	truth, err := os.ReadFile(shared.Path(t, "testdata", "golden", "data", "near_dup_truth.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	first, err := Near(context.Background(), texts, Options{Similarity: 0.8, Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	near, found := 0, 0
	for _, line := range strings.Split(string(truth), "\n") {
		var row struct {
			Pair []int
			J    float64
		}
		if json.Unmarshal([]byte(line), &row) != nil || len(row.Pair) != 2 {
			continue
		}
		if row.J >= 0.8 {
			near++
			if first[row.Pair[0]] == first[row.Pair[1]] {
				found++
			}
		}
	}
	if found*150 < near*146 {
		t.Errorf("found %d of %d pairs of similarity 0.8, datatrove finds 146 of 150", found, near)
	}
	t.Logf("%d texts; found %d of %d pairs", len(texts), found, near)
}

// spell makes a word of a number without digits, which normalisation makes equal.
func spell(n int) string {
	return strings.Map(func(r rune) rune { return r - '0' + 'a' }, fmt.Sprint(n))
}
