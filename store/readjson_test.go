package store

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestJSONOfAnotherKindIsNotToldInGoTypes(t *testing.T) {
	for text, says := range map[string]string{"[]": "the whole is a JSON array", `{"name":3}`: "name is a JSON number"} {
		path := filepath.Join(t.TempDir(), "x.json")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		var v struct {
			Name string `json:"name"`
		}
		if err := ReadJSON(path, &v); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "Go value") {
			t.Errorf("%s: says %v, expected %q", text, err, says)
		}
	}
}
