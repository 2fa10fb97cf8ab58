package verse

import "testing"

func TestOnlyEvenLinesOfFiveOrSevenAreRegular(t *testing.T) {
	for poem, want := range map[string]bool{
		"床前明月光，疑是地上霜。\n舉頭望明月，低頭思故鄉。": true,
		"朝辭白帝彩雲間，千里江陵一日還。":           true,
		"床前明月光，朝辭白帝彩雲間。":             false, // five and seven
		"關關雎鳩，在河之洲。":                 false, // four
		"床前明月光":                      false, // one line
		"床前明月 光，疑是地上霜。":              false,
		"bed moon，light。":            false,
		"":                           false,
	} {
		if got := Regular(poem); got != want {
			t.Errorf("Regular(%q) is %v", poem, got)
		}
	}
}

func TestCopiedLinesAreCounted(t *testing.T) {
	c := Corpus{}
	c.Add("床前明月光，疑是地上霜。")
	if copied, lines := c.Copied("疑是地上霜，何處不相逢。"); copied != 1 || lines != 2 {
		t.Errorf("%d of %d lines are copied, expected 1 of 2", copied, lines)
	}
}
