package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"

	"golang.org/x/text/width"

	"lian/agent"
	"lian/chat"
)

// Bounds of an expression, so that none takes long or much memory.
const (
	maxExpression = 1000 // bytes
	maxDepth      = 50   // parentheses, signs and powers within each other
	maxBits       = 4096 // of a numerator or denominator
	maxDigits     = 12   // after the point, of a fraction shown as a decimal
)

type calculate struct{ definition chat.Tool }

// Calculate is a tool that works out the argument "expression" exactly, in
// fractions of whole numbers: + - * / ^ % ! and parentheses, decimals,
// the Chinese and typographic signs × ÷ － （ ）, and abs, min, max, floor,
// ceil, round. A result that is no finite decimal is shown as a fraction with
// its decimal beginning.
func Calculate(definition chat.Tool) agent.Tool { return calculate{definition} }

func (c calculate) Definition() chat.Tool { return c.definition }

func (c calculate) Call(ctx context.Context, arguments json.RawMessage) (string, error) {
	expression, err := text(arguments, "expression")
	if err != nil {
		return "", err
	}
	value, err := Evaluate(expression)
	if err != nil {
		return "", err
	}
	return Show(value), nil
}

// Evaluate works out an expression. The error says what to write instead.
func Evaluate(expression string) (value *big.Rat, err error) {
	if len(expression) > maxExpression {
		return nil, fmt.Errorf("the expression has %d bytes; %d are allowed", len(expression), maxExpression)
	}
	p := &arithmetic{source: signs.Replace(width.Fold.String(expression))}
	defer func() {
		if r := recover(); r != nil {
			wrong, ok := r.(arithmeticError)
			if !ok {
				panic(r)
			}
			value, err = nil, fmt.Errorf("%s", string(wrong))
		}
	}()
	value = p.sum()
	if p.blank(); p.at < len(p.source) {
		p.fail("unexpected %q", p.rest())
	}
	return value, nil
}

var signs = strings.NewReplacer("×", "*", "·", "*", "÷", "/", "−", "-", "–", "-", "**", "^", "[", "(", "]", ")")

// Show writes a value: whole, as a decimal if it is a finite one, else as a
// fraction with the beginning of its decimal.
func Show(value *big.Rat) string {
	if value.IsInt() {
		return value.Num().String()
	}
	if digits, exact := value.FloatPrec(); exact {
		return value.FloatString(digits)
	}
	decimal := strings.TrimRight(value.FloatString(maxDigits), "0")
	if strings.HasSuffix(decimal, ".") { // too small to show
		return value.RatString()
	}
	return fmt.Sprintf("%s (about %s)", value.RatString(), decimal)
}

// arithmetic reads an expression from the left; each method reads one level of
// the grammar and gives its value.
type arithmetic struct {
	source    string
	at, depth int
}

type arithmeticError string

func (p *arithmetic) fail(format string, args ...any) {
	panic(arithmeticError(fmt.Sprintf(format, args...)))
}

func (p *arithmetic) enter() {
	if p.depth++; p.depth > maxDepth {
		p.fail("nested deeper than %d", maxDepth)
	}
}

func (p *arithmetic) blank() {
	for p.at < len(p.source) && strings.IndexByte(" \t\r\n", p.source[p.at]) >= 0 {
		p.at++
	}
}

func (p *arithmetic) rest() string {
	runes := []rune(p.source[p.at:])
	return string(runes[:min(len(runes), 20)])
}

// skip reads one of the signs, 0 if none is next.
func (p *arithmetic) skip(signs string) byte {
	p.blank()
	if p.at < len(p.source) && strings.IndexByte(signs, p.source[p.at]) >= 0 {
		p.at++
		return p.source[p.at-1]
	}
	return 0
}

func (p *arithmetic) bounded(v *big.Rat) *big.Rat {
	if v.Num().BitLen() > maxBits || v.Denom().BitLen() > maxBits {
		p.fail("the numbers get too large: more than %d bits", maxBits)
	}
	return v
}

func (p *arithmetic) sum() *big.Rat {
	left := p.product()
	for {
		switch p.skip("+-") {
		case '+':
			left = p.bounded(new(big.Rat).Add(left, p.product()))
		case '-':
			left = p.bounded(new(big.Rat).Sub(left, p.product()))
		default:
			return left
		}
	}
}

func (p *arithmetic) product() *big.Rat {
	left := p.signed()
	for {
		attached := p.at > 0 && p.at < len(p.source) && strings.IndexByte(" \t\r\n", p.source[p.at-1]) < 0
		switch p.skip("*/%") {
		case '*':
			left = p.bounded(new(big.Rat).Mul(left, p.signed()))
		case '/':
			whole := p.skip("/") != 0 // 7 // 2 rounds down
			right := p.signed()
			if right.Sign() == 0 {
				p.fail("division by zero")
			}
			if left = p.bounded(new(big.Rat).Quo(left, right)); whole {
				left = floor(left)
			}
		case '%':
			if attached && p.percent() {
				left = p.bounded(new(big.Rat).Quo(left, big.NewRat(100, 1)))
				continue
			}
			right := p.signed()
			if right.Sign() == 0 {
				p.fail("division by zero")
			}
			times := floor(new(big.Rat).Quo(left, right))
			left = p.bounded(new(big.Rat).Sub(left, times.Mul(times, right)))
		default:
			return left
		}
	}
}

// percent says whether a % that was attached to a number means hundredths:
// nothing to divide by follows. 10%-3 is -2.9, 10 % -3 and 10%3 are remainders.
func (p *arithmetic) percent() bool {
	p.blank()
	return p.at == len(p.source) || strings.IndexByte(")+-*/,", p.source[p.at]) >= 0
}

func (p *arithmetic) signed() *big.Rat {
	p.enter()
	defer func() { p.depth-- }()
	switch p.skip("+-") {
	case '-':
		return new(big.Rat).Neg(p.signed())
	case '+':
		return p.signed()
	}
	return p.power()
}

// power is right-associative and stronger than a sign before it: -2^2 is -4.
func (p *arithmetic) power() *big.Rat {
	base := p.factorial()
	if p.skip("^") == 0 {
		return base
	}
	exponent := p.signed()
	if !exponent.IsInt() {
		p.fail("a power must be a whole number, not %s: roots are not exact", exponent.RatString())
	}
	size := max(base.Num().BitLen(), base.Denom().BitLen())
	n := exponent.Num()
	if base.Sign() == 0 && n.Sign() < 0 {
		p.fail("division by zero")
	}
	if size > 1 && (!n.IsInt64() || max(n.Int64(), -n.Int64()) > maxBits/int64(size-1)+1) {
		p.fail("the numbers get too large: more than %d bits", maxBits)
	}
	if size <= 1 { // 0, 1 and -1
		if n.Sign() != 0 {
			n = big.NewInt(2 - int64(n.Bit(0)))
		}
	}
	positive := new(big.Int).Abs(n)
	result := new(big.Rat).SetFrac(new(big.Int).Exp(base.Num(), positive, nil), new(big.Int).Exp(base.Denom(), positive, nil))
	if n.Sign() < 0 {
		result.Inv(result)
	}
	return p.bounded(result)
}

func (p *arithmetic) factorial() *big.Rat {
	value := p.primary()
	for p.skip("!") != 0 {
		const most = 300
		if !value.IsInt() || value.Sign() < 0 || value.Cmp(big.NewRat(most, 1)) > 0 {
			p.fail("a factorial needs a whole number from 0 to %d", most)
		}
		value = p.bounded(new(big.Rat).SetInt(new(big.Int).MulRange(1, value.Num().Int64())))
	}
	return value
}

func (p *arithmetic) primary() *big.Rat {
	if p.skip("(") != 0 {
		p.enter()
		value := p.sum()
		p.depth--
		if p.skip(")") == 0 {
			p.fail("a ')' is missing")
		}
		return value
	}
	p.blank()
	start := p.at
	for p.at < len(p.source) && (p.source[p.at]|32 >= 'a' && p.source[p.at]|32 <= 'z') {
		p.at++
	}
	if p.at > start {
		return p.function(strings.ToLower(p.source[start:p.at]))
	}
	return p.number()
}

func (p *arithmetic) number() *big.Rat {
	start, digits := p.at, 0
	for p.at < len(p.source) {
		c := p.source[p.at]
		grouped := c == ',' && digits > 0 && thousands(p.source[p.at+1:])
		if c >= '0' && c <= '9' {
			digits++
		} else if c != '.' && !grouped {
			break
		}
		p.at++
	}
	if digits > 0 && p.at+1 < len(p.source) && p.source[p.at]|32 == 'e' {
		end := p.at + 1
		if end < len(p.source) && (p.source[end] == '-' || p.source[end] == '+') {
			end++
		}
		first := end
		for end < len(p.source) && p.source[end] >= '0' && p.source[end] <= '9' {
			end++
		}
		if end-first > 4 {
			p.fail("the numbers get too large: more than %d bits", maxBits)
		}
		if end > first {
			p.at = end
		}
	}
	value, ok := new(big.Rat).SetString(strings.ReplaceAll(p.source[start:p.at], ",", ""))
	if !ok || digits == 0 {
		p.at = start
		if start == len(p.source) {
			p.fail("the expression ends where a number is expected")
		}
		p.fail("expected a number, found %q; write numbers, + - * / ^ %% ! and parentheses only", p.rest())
	}
	return p.bounded(value)
}

// thousands says whether s begins with three digits and no fourth, as after
// the comma of 1,234.
func thousands(s string) bool {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n == 3
}

func (p *arithmetic) function(name string) *big.Rat {
	if p.skip("(") == 0 {
		p.fail("unknown name %q; write numbers, + - * / ^ %% ! and parentheses only", name)
	}
	p.enter()
	values := []*big.Rat{p.sum()}
	for p.skip(",;") != 0 {
		values = append(values, p.sum())
	}
	p.depth--
	if p.skip(")") == 0 {
		p.fail("a ')' is missing")
	}
	best := func(sign int) *big.Rat {
		value := values[0]
		for _, v := range values[1:] {
			if v.Cmp(value) == sign {
				value = v
			}
		}
		return value
	}
	switch {
	case name == "min":
		return best(-1)
	case name == "max":
		return best(1)
	case len(values) > 1:
		p.fail("%s takes one number, %d given", name, len(values))
	}
	switch name {
	case "abs":
		return new(big.Rat).Abs(values[0])
	case "floor":
		return floor(values[0])
	case "ceil":
		return new(big.Rat).Neg(floor(new(big.Rat).Neg(values[0])))
	case "round": // halves away from zero
		rounded := floor(new(big.Rat).Add(new(big.Rat).Abs(values[0]), big.NewRat(1, 2)))
		if values[0].Sign() < 0 {
			rounded.Neg(rounded)
		}
		return rounded
	}
	p.fail("unknown function %q; there are abs, min, max, floor, ceil and round", name)
	return nil
}

func floor(v *big.Rat) *big.Rat {
	return new(big.Rat).SetInt(new(big.Int).Div(v.Num(), v.Denom())) // Div rounds down for a positive divisor
}
