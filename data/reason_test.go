package data_test

import (
	"testing"

	"lian/data/read"
	"lian/data/rule"
	"lian/message"
)

func TestEveryReasonHasAMessage(t *testing.T) {
	names := append(rule.Names(), "over_size", "exact_duplicate", "near_duplicate",
		read.Unreadable, read.Empty, read.Unsupported, read.Binary, read.BadEncoding, read.Damaged, read.NoText, read.TooLarge, read.Hidden,
		read.NotAFile, read.Unselected, read.OtherPlatform, read.GoTest, read.GeneratedTable)
	for _, name := range names {
		key := "data.reason." + name
		if text := message.Text("zh", key); text == "" || text[0] == '[' {
			t.Errorf("message/data.yaml has no %s", key)
		}
	}
}
