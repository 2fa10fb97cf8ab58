package instruct

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"strings"

	"lian/data/document"
)

func goFacts(d *document.Document) []Facts {
	f := d.Fields
	what := map[string]string{"func": "function", "method": "method", "type": "type", "const": "constant", "var": "variable"}[f["what"]]
	if what == "" || f["exported"] != "yes" {
		return nil
	}
	signature, _, _ := strings.Cut(f["signature"], "\n")
	sentence := strings.Join(strings.Fields(new(doc.Package).Synopsis(f["doc"])), " ")
	if len(sentence) > longestLine {
		sentence = ""
	}
	facts := Facts{
		"qualified": askable(f["package"]+"."+f["name"], 36),
		"package":   f["package"],
		"what":      what,
		"sentence":  sentence,
	}
	if len(signature) <= longestLine && !strings.HasSuffix(signature, "(") {
		facts["signature"] = strings.TrimSpace(signature)
	}
	if len(f["name"]) >= 4 {
		facts["short"] = askable(f["name"], 24)
	}
	if what == "function" || what == "method" {
		facts["error"] = returnsError(f["signature"])
	}
	return []Facts{facts}
}

// returnsError is yes or no, or empty for what does not parse.
func returnsError(signature string) string {
	file, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+signature, parser.SkipObjectResolution)
	if err != nil || len(file.Decls) != 1 {
		return ""
	}
	function, ok := file.Decls[0].(*ast.FuncDecl)
	if !ok {
		return ""
	}
	if function.Type.Results != nil {
		for _, result := range function.Type.Results.List {
			if name, ok := result.Type.(*ast.Ident); ok && name.Name == "error" {
				return "yes"
			}
		}
	}
	return "no"
}
