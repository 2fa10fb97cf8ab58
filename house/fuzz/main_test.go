package main

import (
	"reflect"
	"runtime"
	"testing"
	"time"
)

func TestTargetsBelongToThePackageBelowThem(t *testing.T) {
	got := parseList("FuzzA\nFuzzB\nok  \tlian/x\t0.01s\n?   \tlian/y\t[no test files]\nok  \tlian/z\t0.02s\nFuzzC\nok  \tlian/链\t0.02s\n")
	want := []target{{"lian/x", "FuzzA"}, {"lian/x", "FuzzB"}, {"lian/链", "FuzzC"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestTheLastProgressCounts(t *testing.T) {
	got := parseRun("fuzz: elapsed: 0s, gathering baseline coverage: 0/8 completed\nfuzz: elapsed: 3s, execs: 325 (108/sec), new interesting: 1 (total: 9)\nfuzz: elapsed: 6s, execs: 987654 (10/sec), new interesting: 12 (total: 20)\nPASS\n")
	if want := (progress{"6s", 987654, 12}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestTargetsShareTheTime(t *testing.T) {
	if n := sideBySide(30, time.Minute, 30*time.Minute); n != 1 {
		t.Errorf("30 targets of a minute in 30 minutes: %d at a time", n)
	}
	if n := sideBySide(31, time.Minute, 30*time.Minute); n != min(2, runtime.NumCPU()) {
		t.Errorf("31 targets of a minute in 30 minutes: %d at a time", n)
	}
}
