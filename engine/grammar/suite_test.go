package grammar

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"lian/verify/shared"
)

// The official suite: what compiles must refuse every invalid instance; valid ones may be outside the layout (other
// order, undeclared properties, other types where the schema names none) and are counted.
func TestOfficialSuiteHasNoFalseAcceptance(t *testing.T) {
	f, err := os.Open(shared.Path(t, "testdata", "golden", "eval", "jsonschema_suite.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	groups, compiled, accepted, narrower, rejected := 0, 0, 0, 0, 0
	for lines.Scan() {
		var group struct {
			Group  string
			Schema json.RawMessage
			Tests  []struct {
				Data  json.RawMessage
				Valid bool
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &group); err != nil {
			t.Fatal(err)
		}
		groups++
		g, err := CompileSchema(group.Schema)
		if err != nil {
			continue
		}
		compiled++
		for _, test := range group.Tests {
			var compact bytes.Buffer
			if err := json.Compact(&compact, test.Data); err != nil {
				t.Fatal(err)
			}
			ok, _ := g.Match(compact.String())
			switch {
			case ok && !test.Valid:
				t.Errorf("%s: %s accepts %s", group.Group, group.Schema, compact.String())
			case ok:
				accepted++
			case test.Valid:
				narrower++
			default:
				rejected++
			}
		}
	}
	t.Logf("%d of %d groups compiled: %d accepted, %d rejected, %d valid but outside the layout", compiled, groups, accepted, rejected, narrower)
}
