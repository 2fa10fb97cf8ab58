package tfevents

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

var (
	at     = time.Date(2026, 1, 31, 12, 0, 0, 250000000, time.UTC)
	events = []Event{
		{Time: at, Version: version},
		{Time: at, Step: 7, Start: true},
		{Time: at, Step: 8, Scalars: []Scalar{{"loss", 2.5}, {"loss/中文", -0.125}}},
		{Time: at, Step: 8, Texts: []Text{{"sample/0", "床前**明月**光"}}},
	}
)

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(dir, at, "lian")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events[1:] {
		w.Write(e)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if again, err := Create(dir, at, "lian"); err != nil || again.Close() != nil {
		t.Errorf("a second file in the same second: %v", err)
	}
	f, err := os.Open(filepath.Join(dir, "events.out.tfevents.1769860800.lian.0"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := Read(f)
	if err != nil || !reflect.DeepEqual(got, events) {
		t.Errorf("%v\n%+v\nexpected\n%+v", err, got, events)
	}
}

func TestRecordsAreThoseOfTensorBoard(t *testing.T) {
	text, err := os.ReadFile("testdata/tensorboard.hex")
	if err != nil {
		t.Fatal(err)
	}
	want, err := hex.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil {
		t.Fatal(err)
	}
	var got []byte
	for _, e := range events {
		got = appendRecord(got, encode(e))
	}
	if !bytes.Equal(got, want) {
		t.Errorf("written\n%x\nTensorBoard writes\n%x", got, want)
	}
	if read, err := Read(bytes.NewReader(want)); err != nil || !reflect.DeepEqual(read, events) {
		t.Errorf("read %+v, %v", read, err)
	}
}

func TestAFileThatIsCutGivesWhatCameBefore(t *testing.T) {
	var whole []byte
	for _, e := range events {
		whole = appendRecord(whole, encode(e))
	}
	for n := range whole {
		got, err := Read(bytes.NewReader(whole[:n]))
		if err != nil && !errors.Is(err, ErrCut) || len(got) == len(events) {
			t.Fatalf("%d bytes: %d events, %v", n, len(got), err)
		}
	}
	for i := range whole {
		bad := bytes.Clone(whole)
		bad[i] ^= 4
		if _, err := Read(bytes.NewReader(bad)); err == nil {
			t.Fatalf("byte %d was changed and nobody saw it", i)
		}
	}
}

func FuzzRead(f *testing.F) {
	var whole []byte
	for _, e := range events {
		whole = appendRecord(whole, encode(e))
	}
	f.Add(whole)
	f.Add(whole[:40])
	f.Add(appendRecord(nil, []byte{0x2a, 0xff, 0xff, 0xff, 0xff, 0x0f}))
	f.Add(appendRecord(nil, []byte{0x09, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := decode(data); err == nil {
			decode(data[:len(data)/2])
		}
		Read(bytes.NewReader(data))
	})
}
