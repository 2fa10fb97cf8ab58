package main

import (
	"strings"
	"testing"
)

func run(t *testing.T, events string) (*summary, string) {
	t.Helper()
	s := &summary{outputs: map[string][]string{}}
	var b strings.Builder
	if err := s.read(strings.NewReader(events), &b); err != nil {
		t.Fatal(err)
	}
	s.print(&b)
	return s, b.String()
}

func TestSkipsAreShownWithTheirReason(t *testing.T) {
	s, text := run(t, `{"Action":"output","Package":"lian/a","Test":"TestX","Output":"=== RUN TestX\n"}
{"Action":"output","Package":"lian/a","Test":"TestX","Output":"    x_test.go:7: needs shared test data: testdata/诗\n"}
{"Action":"output","Package":"lian/a","Test":"TestX","Output":"--- SKIP: TestX (0.00s)\n"}
{"Action":"skip","Package":"lian/a","Test":"TestX"}
{"Action":"pass","Package":"lian/a","Test":"TestY"}
{"Action":"pass","Package":"lian/a","Elapsed":1.5}
{"Action":"skip","Package":"lian/b"}`)
	if s.passed != 1 || s.skipped != 1 || s.failed != 0 {
		t.Errorf("counted %+v", s)
	}
	if !strings.Contains(text, "skipped lian/a TestX: needs shared test data: testdata/诗\n") || !strings.HasSuffix(text, "\n1 passed, 0 failed, 1 skipped\n") {
		t.Errorf("printed\n%s", text)
	}
}

func TestFailuresAreShownFully(t *testing.T) {
	s, text := run(t, `{"Action":"output","Package":"lian/a","Test":"TestX","Output":"    x_test.go:7: got 1\n"}
{"Action":"output","Package":"lian/a","Test":"TestX","Output":"        want 2\n"}
{"Action":"fail","Package":"lian/a","Test":"TestX"}
{"Action":"output","Package":"lian/a","Test":"TestPanics","Output":"panic: boom\n"}
{"Action":"output","Package":"lian/a","Output":"FAIL\tlian/a\n"}
{"Action":"fail","Package":"lian/a","Elapsed":1}
{"Action":"build-output","ImportPath":"lian/c","Output":"c.go:1: undefined: x\n"}
{"Action":"fail","Package":"lian/c","FailedBuild":"lian/c"}`)
	if s.failed != 3 {
		t.Errorf("failed = %d, want 3", s.failed)
	}
	for _, want := range []string{"got 1", "want 2", "panic: boom", "c.go:1: undefined: x", "lian/c does not build", "0 passed, 3 failed, 0 skipped"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
