package machine

import (
	"runtime"
	"testing"
)

func TestTheMachineIsKnown(t *testing.T) {
	if Processor() == "" {
		t.Error("the processor has no name")
	}
	total, available := Memory()
	if known := runtime.GOOS == "linux" || runtime.GOOS == "darwin" || runtime.GOOS == "windows"; known && total < 64<<20 {
		t.Errorf("memory = %d bytes", total)
	}
	if available < 0 || available > total {
		t.Errorf("%d of %d bytes available", available, total)
	}
}

func TestTheMemoryOfThisProcessIsKnown(t *testing.T) {
	if r := Resident(); runtime.GOOS == "linux" && (r.Own <= 0 || r.Now < r.Own || r.Peak < r.Now) {
		t.Errorf("resident memory = %+v", r)
	}
}
