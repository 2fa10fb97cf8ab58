package step

import (
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"lian/engine"
	"lian/event"
	"lian/train/mixture"
)

func TestMixturesAreReadAsPeopleWriteThem(t *testing.T) {
	got, err := parseMix(" en=0.7, 中文=0.3; 0.8: en=1,中文=3 ")
	if err != nil || len(got) != 2 || got[0].Weights["中文"] != 0.3 || got[1].From != 0.8 || got[1].Weights["中文"] != 3 {
		t.Errorf("mixture %v, %v", got, err)
	}
	for text, want := range map[string]string{"en": "DOMAIN=NUMBER", "en=x": "DOMAIN=NUMBER", "en=-1": "DOMAIN=NUMBER", "en=1,en=2": "twice", "en=1; zh=1": "when it starts", "x: en=1": "share of the run"} {
		if _, err := parseMix(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want it to say %q", text, err, want)
		}
	}
	b, err := parseEpochs("en=2,zh=4")
	if err != nil || b.of("en") != 2 || b.of("code") != 0 {
		t.Errorf("bounds %v, %v", b, err)
	}
	if err := b.unused([]mixture.Domain{{Name: "en"}}); err == nil || !strings.Contains(err.Error(), "no domain zh") {
		t.Errorf("a bound of no domain: %v", err)
	}
	if _, err := parseEpochs("0"); err == nil {
		t.Error("no epoch at all was taken")
	}
}

func TestTextsAreCountedByScript(t *testing.T) {
	for text, want := range map[string]string{"To be, or not to be": "latin", "床前明月光，疑是地上霜": "zh", "用 Go 写的程序，一个 binary": "zh", "Война и мир": "other", "123": "latin", "The character 道 is read dào in many schools of thought": "latin"} {
		if got := script(text); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

func TestHeldOutTextIsAddedUpByName(t *testing.T) {
	texts := []heldText{{domain: "a"}, {domain: "b"}, {domain: "a"}}
	losses := []engine.DocumentLoss{{Nats: math.Ln2, Bytes: 1}, {Nats: 2 * math.Ln2, Bytes: 1}, {Nats: math.Ln2, Bytes: 3}}
	got := byName(texts, losses, func(t heldText) string { return t.domain })
	if len(got) != 2 || got[0].Name != "a" || got[0].BitsPerByte != 0.5 || got[0].Documents != 2 || got[1].BitsPerByte != 2 {
		t.Errorf("by domain %+v", got)
	}
	if got := byName(texts[:1], losses, func(t heldText) string { return t.domain }); got != nil {
		t.Errorf("one domain is told apart: %+v", got)
	}
}

// TestAWrongMixtureIsToldBeforeAnythingIsMade: not after minutes of preparing and measuring.
func TestAWrongMixtureIsToldBeforeAnythingIsMade(t *testing.T) {
	for _, o := range []MixtureOptions{{Mix: "en"}, {DomainEpochs: "0"}, {SkipBatches: "x"}, {BatchRamp: "1 2"}} {
		dir := t.TempDir()
		if _, err := PrepareAll(context.Background(), []string{filepath.Join(dir, "nothing")}, "", 300, o, dir, event.Discard); err == nil || strings.Contains(err.Error(), "nothing") {
			t.Errorf("%+v: %v; expected the setting's error before the data's", o, err)
		}
	}
}
