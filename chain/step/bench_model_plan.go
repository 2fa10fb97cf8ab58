package step

import (
	"fmt"
	"regexp"
	"strconv"
)

// modelTest is one measurement of lian bench model.
//
//	ppN              N tokens of a prompt in one request, the logits of the last (llama-bench -p N)
//	tgN              N tokens one after the other (llama-bench -n N)
//	ppN+tgM          a prompt and what follows it as one figure (llama-bench -pg N,M)
//	batchS, batchSxN S sequences decoding together, N tokens each, 128 if not said (llama-batched-bench -npl S -ntg N)
//
// and each of them @DEPTH: after so many tokens of every sequence that are in the cache already (llama-bench -d, llama-batched-bench -npp).
type modelTest struct {
	name      string
	prompt    int // tokens of the prompt
	reply     int // tokens decoded after it, of each sequence
	sequences int
	depth     int // tokens of each sequence that are there before
}

// batchReply is what batchS decodes of each sequence.
const batchReply = 128

var modelTestForm = regexp.MustCompile(`^(?:pp(\d+)|tg(\d+)|pp(\d+)\+tg(\d+)|batch(\d+)(?:x(\d+))?)(?:@(\d+))?$`)

func parseModelTest(name string) (modelTest, error) {
	m := modelTestForm.FindStringSubmatch(name)
	if m == nil {
		return modelTest{}, fmt.Errorf("--tests %s: expected pp512, tg128, pp512+tg128, batch8 or batch8x64, each with @DEPTH if wanted", name)
	}
	var n [8]int
	for i, digits := range m[1:] {
		if digits == "" {
			continue
		}
		var err error
		if n[i+1], err = strconv.Atoi(digits); err != nil || n[i+1] > 100_000_000 || n[i+1] == 0 && i+1 != 7 {
			return modelTest{}, fmt.Errorf("--tests %s: %s is not a number of tokens or sequences", name, digits)
		}
	}
	t := modelTest{name: name, prompt: n[1] + n[3], reply: n[2] + n[4], sequences: max(n[5], 1), depth: n[7]}
	if n[5] > 0 {
		t.reply = batchReply
		if n[6] > 0 {
			t.reply = n[6]
		}
	}
	return t, nil
}

// length is the longest that a sequence becomes.
func (t modelTest) length() int { return t.depth + t.prompt + t.reply }

// tokens are those that a run's figure counts.
func (t modelTest) tokens() int { return t.prompt + t.reply*t.sequences }
