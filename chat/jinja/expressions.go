package jinja

import (
	"math/big"
	"slices"
	"strconv"
)

// The grammar of expressions, loosest first: condition, or, and, not,
// comparison, + -, ~, * / // %, **, unary, postfix, filters and tests.

func (p *parser) expression(withCondition bool) expression {
	p.enter()
	defer p.leave()
	if !withCondition {
		return p.or()
	}
	value, n := p.or(), 0
	for p.skipName("if") {
		p.chain(&n)
		test := p.or()
		var otherwise expression
		if p.skipName("else") {
			otherwise = p.expression(true)
		}
		value = &conditionalNode{test, value, otherwise}
	}
	return value
}

func (p *parser) or() expression {
	left, n := p.and(), 0
	for p.skipName("or") {
		p.chain(&n)
		left = &logicNode{false, left, p.and()}
	}
	return left
}

func (p *parser) and() expression {
	left, n := p.not(), 0
	for p.skipName("and") {
		p.chain(&n)
		left = &logicNode{true, left, p.not()}
	}
	return left
}

func (p *parser) not() expression {
	p.enter()
	defer p.leave()
	if line := p.peek().line; p.skipName("not") {
		return &unaryNode{line, "not", p.not()}
	}
	return p.comparison()
}

func (p *parser) comparison() expression {
	n := &compareNode{line: p.peek().line, first: p.sum()}
	for {
		t := p.peek()
		switch {
		case t.kind == tokenOperator && slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, t.text):
			p.at++
			n.operators = append(n.operators, t.text)
		case p.skipName("in"):
			n.operators = append(n.operators, "in")
		case p.isName("not") && p.tokens[p.at+1].kind == tokenName && p.tokens[p.at+1].text == "in":
			p.at += 2
			n.operators = append(n.operators, "not in")
		default:
			if n.operators == nil {
				return n.first
			}
			return n
		}
		n.rest = append(n.rest, p.sum())
	}
}

// binary reads a row of operators of one strength, left to right.
func (p *parser) binary(operand func() expression, operators ...string) expression {
	left, n := operand(), 0
	for t := p.peek(); t.kind == tokenOperator && slices.Contains(operators, t.text); t = p.peek() {
		p.chain(&n)
		p.at++
		left = &binaryNode{t.line, t.text, left, operand()}
	}
	return left
}

func (p *parser) sum() expression { return p.binary(p.join, "+", "-") }

func (p *parser) join() expression {
	line := p.peek().line
	items := []expression{p.product()}
	for p.skipOperator("~") {
		items = append(items, p.product())
	}
	if len(items) == 1 {
		return items[0]
	}
	return &joinNode{line, items}
}

func (p *parser) product() expression { return p.binary(p.power, "*", "/", "//", "%") }

// power is left-associative and weaker than a sign, as in Jinja2 (not Python).
func (p *parser) power() expression {
	return p.binary(func() expression { return p.unary(true) }, "**")
}

func (p *parser) unary(withFilter bool) expression {
	p.enter()
	defer p.leave()
	var value expression
	line := p.peek().line
	switch {
	case p.skipOperator("-"):
		value = &unaryNode{line, "-", p.unary(false)}
	case p.skipOperator("+"):
		value = &unaryNode{line, "+", p.unary(false)}
	default:
		value = p.primary()
	}
	value = p.postfix(value)
	if withFilter {
		value = p.filters(value, false)
	}
	return value
}

func (p *parser) primary() expression {
	t := p.next()
	switch t.kind {
	case tokenName:
		switch t.text {
		case "true", "True":
			return &literal{Bool(true)}
		case "false", "False":
			return &literal{Bool(false)}
		case "none", "None":
			return &literal{None()}
		case "varargs", "kwargs", "caller":
			for _, m := range p.macros { // also those around the innermost one
				m.varargs = m.varargs || t.text == "varargs"
				m.kwargs = m.kwargs || t.text == "kwargs"
				m.caller = m.caller || t.text == "caller"
			}
		}
		return &nameNode{t.text}
	case tokenString:
		text := t.text
		for p.peek().kind == tokenString {
			text += p.next().text
		}
		return &literal{String(text)}
	case tokenInteger:
		i, ok := new(big.Int).SetString(t.text, 0)
		if !ok { // Python has no octals with a bare leading 0
			if i, ok = new(big.Int).SetString(t.text, 10); !ok {
				p.fail("bad number %s", t.text)
			}
		}
		return &literal{bigInt(i)}
	case tokenFloat:
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil && f == 0 {
			p.fail("bad number %s", t.text)
		}
		return &literal{Float(f)}
	case tokenOperator:
		switch t.text {
		case "(":
			value := p.tuple(true, ")")
			p.wantOperator(")")
			return value
		case "[":
			return &listNode{p.items("]")}
		case "{":
			return p.dict()
		}
	}
	p.at--
	if t.kind == tokenEnd {
		p.at = len(p.tokens) - 1
	}
	p.fail("Expected an expression, got %s", describe(t))
	return nil
}

func (p *parser) items(end string) []expression {
	items := []expression{}
	for !p.isOperator(end) {
		if len(items) > 0 {
			p.wantOperator(",")
			if p.isOperator(end) {
				break
			}
		}
		items = append(items, p.expression(true))
	}
	p.wantOperator(end)
	return items
}

func (p *parser) dict() expression {
	n := &dictNode{}
	for !p.isOperator("}") {
		if n.keys != nil {
			p.wantOperator(",")
			if p.isOperator("}") {
				break
			}
		}
		n.keys = append(n.keys, p.expression(true))
		p.wantOperator(":")
		n.values = append(n.values, p.expression(true))
	}
	p.wantOperator("}")
	return n
}

// tuple reads an expression, or several with commas between them. In
// parentheses (end is ")") it may be empty. Elsewhere end is a name that stops it.
func (p *parser) tuple(withCondition bool, end string) expression {
	var items []expression
	isTuple := false
	for {
		if len(items) > 0 {
			if !p.skipOperator(",") {
				break
			}
			isTuple = true
		}
		if t := p.peek(); t.kind == tokenVariableEnd || t.kind == tokenBlockEnd ||
			end == ")" && p.isOperator(")") || end != "" && end != ")" && p.isName(end) {
			break
		}
		items = append(items, p.expression(withCondition))
	}
	if !isTuple {
		if len(items) == 1 {
			return items[0]
		}
		if end != ")" {
			p.fail("Expected an expression, got %s", describe(p.peek()))
		}
	}
	return &tupleNode{items}
}

func (p *parser) postfix(value expression) expression {
	for n := 0; ; p.chain(&n) {
		t := p.peek()
		if t.kind != tokenOperator {
			return value
		}
		switch t.text {
		case ".":
			p.at++
			attribute := p.next()
			switch attribute.kind {
			case tokenName:
				value = &attributeNode{t.line, value, attribute.text}
			case tokenInteger:
				i, err := strconv.Atoi(attribute.text)
				if err != nil {
					p.fail("bad index %s", attribute.text)
				}
				value = &itemNode{t.line, value, &literal{Int(i)}}
			default:
				p.at--
				p.fail("expected name or number, got %s", describe(attribute))
			}
		case "[":
			p.at++
			value = p.subscript(value, t.line)
		case "(":
			value = &callExpression{t.line, value, p.arguments()}
		default:
			return value
		}
	}
}

func (p *parser) subscript(value expression, line int) expression {
	part := func() expression {
		if p.isOperator(":") || p.isOperator("]") || p.isOperator(",") {
			return nil
		}
		return p.expression(true)
	}
	start := part()
	if !p.skipOperator(":") {
		if start == nil {
			p.fail("Expected an expression, got %s", describe(p.peek()))
		}
		if p.isOperator(",") {
			items := []expression{start}
			for p.skipOperator(",") && !p.isOperator("]") {
				items = append(items, p.expression(true))
			}
			start = &tupleNode{items}
		}
		p.wantOperator("]")
		return &itemNode{line, value, start}
	}
	n := &sliceNode{line: line, value: value, start: start, end: part()}
	if p.skipOperator(":") {
		n.step = part()
	}
	p.wantOperator("]")
	return n
}

func (p *parser) arguments() arguments {
	p.wantOperator("(")
	var a arguments
	for some := false; !p.isOperator(")"); some = true {
		if some {
			p.wantOperator(",")
			if p.isOperator(")") {
				break
			}
		}
		switch {
		case p.skipOperator("*"):
			a.star = p.expression(true)
		case p.skipOperator("**"):
			a.doubleStar = p.expression(true)
		case p.peek().kind == tokenName && p.tokens[p.at+1].kind == tokenOperator && p.tokens[p.at+1].text == "=":
			a.names = append(a.names, p.next().text)
			p.at++
			a.named = append(a.named, p.expression(true))
		default:
			if a.names != nil || a.star != nil || a.doubleStar != nil {
				p.fail("invalid syntax for function call expression")
			}
			a.positional = append(a.positional, p.expression(true))
		}
	}
	p.wantOperator(")")
	return a
}

// filters reads "| name(arguments)", "is name arguments" and calls after a
// value. With inline set the first filter has no bar before it.
func (p *parser) filters(value expression, inline bool) expression {
	for n := 0; ; p.chain(&n) {
		t := p.peek()
		switch {
		case inline || p.skipOperator("|"):
			inline = false
			filter := &filterExpression{line: t.line, value: value, name: p.dotted()}
			if p.isOperator("(") {
				filter.arguments = p.arguments()
			}
			value = filter
		case value != nil && p.skipName("is"):
			value = p.test(value, t.line)
		case value != nil && p.isOperator("("):
			value = &callExpression{t.line, value, p.arguments()}
		default:
			return value
		}
	}
}

func (p *parser) dotted() string {
	name := p.wantName()
	for p.skipOperator(".") {
		name += "." + p.wantName()
	}
	return name
}

func (p *parser) test(value expression, line int) expression {
	n := &testNode{line: line, value: value}
	n.negated = p.skipName("not")
	n.name = p.dotted()
	t := p.peek()
	switch {
	case p.isOperator("("):
		n.arguments = p.arguments()
	case t.kind == tokenName && slices.Contains([]string{"else", "or", "and"}, t.text):
	case t.kind == tokenName && t.text == "is":
		p.fail("You cannot chain multiple tests with is")
	case t.kind == tokenName || t.kind == tokenString || t.kind == tokenInteger || t.kind == tokenFloat,
		p.isOperator("["), p.isOperator("{"):
		n.arguments.positional = []expression{p.postfix(p.primary())}
	}
	return n
}
