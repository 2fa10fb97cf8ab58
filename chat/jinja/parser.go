package jinja

import (
	"slices"
	"strings"
)

const (
	maxNesting = 200     // how deep tags and brackets may nest
	maxChain   = 5000    // how many operators of one strength may stand in a row
	maxSource  = 1 << 20 // bytes of a source
)

type parser struct {
	tokens []token
	at     int
	depth  int
	macros []*macroNode // those being read, for varargs, kwargs and caller
	loops  int
	marks  bool // the source has generation blocks
}

// failure carries an error up the recursive descent; parse recovers it.
type failure struct{ err *Error }

func parse(source string) (body []node, marks bool, err *Error) {
	if len(source) > maxSource {
		return nil, false, fail(LimitError, "%d bytes; a template may have %d", len(source), maxSource)
	}
	tokens, err := lex(source)
	if err != nil {
		return nil, false, err
	}
	p := &parser{tokens: tokens}
	defer func() {
		if r := recover(); r != nil {
			f, ok := r.(failure)
			if !ok {
				panic(r)
			}
			body, err = nil, f.err
		}
	}()
	body = p.body(nil)
	return body, p.marks, nil
}

func (p *parser) fail(format string, args ...any) {
	err := fail(SyntaxError, format, args...)
	err.Line = p.peek().line
	panic(failure{err})
}

func (p *parser) enter() {
	if p.depth++; p.depth > maxNesting {
		p.fail("nested deeper than %d", maxNesting)
	}
}

func (p *parser) leave() { p.depth-- }

// chain counts the operators in a row, since each makes the tree one deeper.
func (p *parser) chain(n *int) {
	if *n++; *n > maxChain {
		p.fail("more than %d operators in a row", maxChain)
	}
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != tokenEnd {
		p.at++
	}
	return t
}

func (p *parser) is(kind tokenKind, text string) bool {
	t := p.peek()
	return t.kind == kind && t.text == text
}

func (p *parser) isOperator(text string) bool { return p.is(tokenOperator, text) }
func (p *parser) isName(text string) bool     { return p.is(tokenName, text) }

func (p *parser) skipIf(kind tokenKind, text string) bool {
	if p.is(kind, text) {
		p.at++
		return true
	}
	return false
}

func (p *parser) skipOperator(text string) bool { return p.skipIf(tokenOperator, text) }
func (p *parser) skipName(text string) bool     { return p.skipIf(tokenName, text) }

func (p *parser) wantOperator(text string) {
	if !p.skipOperator(text) {
		p.fail("expected token '%s', got %s", text, describe(p.peek()))
	}
}

func (p *parser) wantName() string {
	t := p.next()
	if t.kind != tokenName {
		p.at--
		p.fail("expected a name, got %s", describe(t))
	}
	return t.text
}

func (p *parser) wantBlockEnd() {
	if p.peek().kind != tokenBlockEnd {
		p.fail("expected the end of the tag, got %s", describe(p.peek()))
	}
	p.at++
}

func describe(t token) string {
	switch t.kind {
	case tokenEnd:
		return "the end of the template"
	case tokenVariableEnd:
		return "'end of print statement'"
	case tokenBlockEnd:
		return "'end of statement block'"
	case tokenString:
		return "a text"
	}
	return "'" + t.text + "'"
}

// body reads statements up to one of the tags in ends (whose name it leaves as
// the next token), or to the end of the source when there are none.
func (p *parser) body(ends []string) []node {
	p.enter()
	defer p.leave()
	var nodes []node
	for {
		t := p.next()
		switch t.kind {
		case tokenText:
			nodes = append(nodes, &textNode{t.text})
		case tokenVariableBegin:
			value := p.tuple(true, "")
			if p.peek().kind != tokenVariableEnd {
				p.fail("expected the end of the print statement, got %s", describe(p.peek()))
			}
			p.at++
			nodes = append(nodes, &printNode{value, t.line})
		case tokenBlockBegin:
			if name := p.peek(); name.kind == tokenName && slices.Contains(ends, name.text) {
				return nodes
			}
			if n := p.statement(); n != nil {
				nodes = append(nodes, n)
			}
		case tokenEnd:
			if ends != nil {
				p.fail("unexpected end of template: looking for %s", strings.Join(ends, " or "))
			}
			return nodes
		default:
			p.fail("unexpected %s", describe(t))
		}
	}
}

// bodyTo reads statements up to the tag end and the end of that tag.
func (p *parser) bodyTo(end string) []node {
	body := p.body([]string{end})
	p.at++
	if end == "endmacro" || end == "endblock" {
		if p.peek().kind == tokenName {
			p.at++ // {% endmacro name %}
		}
	}
	p.wantBlockEnd()
	return body
}

func (p *parser) statement() node {
	t := p.next()
	if t.kind != tokenName {
		p.at--
		p.fail("tag name expected, got %s", describe(t))
	}
	switch t.text {
	case "if":
		return p.ifStatement(t.line)
	case "for":
		return p.forStatement(t.line)
	case "set":
		return p.setStatement(t.line)
	case "macro":
		return p.macroStatement(t.line)
	case "call":
		return p.callStatement(t.line)
	case "filter":
		filter := p.blockFilter(true)
		p.wantBlockEnd()
		return &filterNode{t.line, filter, p.bodyTo("endfilter")}
	case "generation":
		p.marks = true
		p.wantBlockEnd()
		return &generationNode{p.outsideLoops(func() []node { return p.bodyTo("endgeneration") })}
	case "autoescape":
		on := p.expression(true)
		p.wantBlockEnd()
		return &autoescapeNode{t.line, on, p.bodyTo("endautoescape")}
	case "with":
		return p.withStatement(t.line)
	case "block":
		p.wantName()
		n := &blockNode{}
		for p.peek().kind == tokenName {
			n.scoped = n.scoped || p.isName("scoped")
			p.at++ // scoped, required
		}
		p.wantBlockEnd()
		n.body = p.bodyTo("endblock")
		return n
	case "break", "continue":
		if p.loops == 0 {
			p.fail("'%s' outside a loop", t.text)
		}
		p.wantBlockEnd()
		if t.text == "break" {
			return &breakNode{}
		}
		return &continueNode{}
	case "include", "import", "from", "extends":
		for p.peek().kind != tokenBlockEnd && p.peek().kind != tokenEnd {
			p.at++
		}
		p.wantBlockEnd()
		return &loaderNode{t.line}
	}
	p.at--
	p.fail("Encountered unknown tag '%s'.", t.text)
	return nil
}

func (p *parser) ifStatement(line int) node {
	p.enter()
	defer p.leave()
	test := p.tuple(false, "")
	p.wantBlockEnd()
	n := &ifNode{line: line, test: test}
	n.then = p.body([]string{"elif", "else", "endif"})
	switch t := p.next(); t.text {
	case "elif":
		n.elseBody = []node{p.ifStatement(t.line)}
		return n
	case "else":
		p.wantBlockEnd()
		n.elseBody = p.bodyTo("endif")
	default:
		p.wantBlockEnd()
	}
	return n
}

func (p *parser) forStatement(line int) node {
	n := &forNode{line: line}
	n.target = p.targets(false, "in")
	if !p.skipName("in") {
		p.fail("expected 'in', got %s", describe(p.peek()))
	}
	n.values = p.tuple(false, "recursive")
	if p.skipName("if") {
		n.condition = p.expression(true)
	}
	n.recursive = p.skipName("recursive")
	p.wantBlockEnd()
	p.loops++
	n.body = p.body([]string{"else", "endfor"})
	p.loops--
	if p.next().text == "else" {
		p.wantBlockEnd()
		n.elseBody = p.bodyTo("endfor")
	} else {
		p.wantBlockEnd()
	}
	return n
}

func (p *parser) setStatement(line int) node {
	n := &setNode{line: line, target: p.targets(true, "")}
	if p.skipOperator("=") {
		n.value = p.tuple(true, "")
		p.wantBlockEnd()
		return n
	}
	if p.isOperator("|") {
		n.filter = p.blockFilter(false)
	}
	p.wantBlockEnd()
	n.body = p.outsideLoops(func() []node { return p.bodyTo("endset") })
	return n
}

func (p *parser) blockFilter(inline bool) *filterExpression {
	filter, ok := p.filters(nil, inline).(*filterExpression)
	if !ok {
		p.fail("expected a filter")
	}
	return filter
}

// outsideLoops reads a body that break and continue cannot leave.
func (p *parser) outsideLoops(read func() []node) []node {
	loops := p.loops
	p.loops = 0
	body := read()
	p.loops = loops
	return body
}

func (p *parser) parameters(n *macroNode) {
	p.wantOperator("(")
	for !p.isOperator(")") {
		if n.parameters != nil {
			p.wantOperator(",")
			if p.isOperator(")") {
				break
			}
		}
		parameter := parameter{name: p.wantName()}
		if p.skipOperator("=") {
			parameter.value = p.expression(true)
		} else if k := len(n.parameters); k > 0 && n.parameters[k-1].value != nil {
			p.fail("a parameter without a default follows one with a default")
		}
		n.parameters = append(n.parameters, parameter)
	}
	p.wantOperator(")")
}

func (p *parser) macroBody(n *macroNode, end string) {
	p.macros = append(p.macros, n)
	n.body = p.outsideLoops(func() []node { return p.bodyTo(end) })
	p.macros = p.macros[:len(p.macros)-1]
}

func (p *parser) macroStatement(line int) node {
	n := &macroNode{line: line, name: p.wantName()}
	p.parameters(n)
	p.wantBlockEnd()
	p.macroBody(n, "endmacro")
	return n
}

func (p *parser) callStatement(line int) node {
	caller := &macroNode{line: line}
	if p.isOperator("(") {
		p.parameters(caller)
	}
	call, ok := p.expression(true).(*callExpression)
	if !ok {
		p.fail("expected a call")
	}
	p.wantBlockEnd()
	p.macroBody(caller, "endcall")
	return &callNode{line, call, caller}
}

func (p *parser) withStatement(line int) node {
	n := &withNode{line: line}
	for p.peek().kind != tokenBlockEnd {
		if n.targets != nil {
			p.wantOperator(",")
		}
		n.targets = append(n.targets, p.oneTarget(false))
		p.wantOperator("=")
		n.values = append(n.values, p.expression(true))
	}
	p.wantBlockEnd()
	n.body = p.bodyTo("endwith")
	return n
}

// targets reads what is assigned to: one, or several with commas.
func (p *parser) targets(attributes bool, end string) target {
	first := p.oneTarget(attributes)
	if !p.isOperator(",") {
		return first
	}
	list := []target{first}
	for p.skipOperator(",") {
		t := p.peek()
		if t.kind == tokenBlockEnd || t.kind == tokenOperator && t.text != "(" || end != "" && p.isName(end) {
			break
		}
		list = append(list, p.oneTarget(attributes))
	}
	return target{list: list}
}

func (p *parser) oneTarget(attributes bool) target {
	p.enter()
	defer p.leave()
	if p.skipOperator("(") {
		inner := p.targets(attributes, "")
		p.wantOperator(")")
		return inner
	}
	t := target{name: p.wantName()}
	if slices.Contains([]string{"true", "false", "none", "True", "False", "None"}, t.name) {
		p.fail("can't assign to '%s'", t.name)
	}
	if attributes && p.skipOperator(".") {
		t.attribute = p.wantName()
	}
	return t
}
