package jinja

// node is a statement. Each has the line on which it begins.
type node interface{}

type (
	textNode  struct{ text string }
	printNode struct {
		value expression
		line  int
	}
	ifNode struct {
		line     int
		test     expression
		then     []node
		elseBody []node // an elif is an if here
	}
	forNode struct {
		line      int
		target    target
		values    expression
		condition expression // nil: all
		recursive bool
		body      []node
		elseBody  []node
	}
	setNode struct {
		line   int
		target target
		value  expression // nil: a block
		body   []node
		filter *filterExpression // of a block; its innermost value is nil
	}
	macroNode struct {
		line       int
		name       string
		parameters []parameter
		body       []node
		varargs    bool
		kwargs     bool
		caller     bool
	}
	callNode struct {
		line   int
		call   *callExpression
		caller *macroNode
	}
	filterNode struct {
		line   int
		filter *filterExpression
		body   []node
	}
	generationNode struct{ body []node }
	autoescapeNode struct {
		line int
		on   expression
		body []node
	}
	withNode struct {
		line    int
		targets []target
		values  []expression
		body    []node
	}
	blockNode struct {
		scoped bool
		body   []node
	}
	breakNode    struct{}
	continueNode struct{}
	loaderNode   struct{ line int } // include, import, extends: there is nothing to load from
)

type parameter struct {
	name  string
	value expression // nil: none
}

// target is what a value is assigned to: a name, name.attribute, or a list.
type target struct {
	name      string
	attribute string
	list      []target // when not nil, the rest is empty
}

type expression interface{}

type (
	literal   struct{ value Value }
	nameNode  struct{ name string }
	listNode  struct{ items []expression }
	tupleNode struct{ items []expression }
	dictNode  struct{ keys, values []expression }
	// attributeNode is value.name; itemNode is value[index].
	attributeNode struct {
		line  int
		value expression
		name  string
	}
	itemNode struct {
		line         int
		value, index expression
	}
	sliceNode struct {
		line                    int
		value, start, end, step expression
	}
	unaryNode struct {
		line     int
		operator string // "-", "+", "not"
		value    expression
	}
	binaryNode struct {
		line        int
		operator    string // + - * / // % **
		left, right expression
	}
	logicNode struct {
		and         bool
		left, right expression
	}
	joinNode struct { // a ~ b ~ c
		line  int
		items []expression
	}
	compareNode struct {
		line      int
		first     expression
		operators []string
		rest      []expression
	}
	conditionalNode struct{ test, then, otherwise expression }
	callExpression  struct {
		line      int
		value     expression
		arguments arguments
	}
	filterExpression struct {
		line      int
		name      string
		value     expression // nil: the body of the block
		arguments arguments
	}
	testNode struct {
		line      int
		name      string
		value     expression
		arguments arguments
		negated   bool
	}
)

type arguments struct {
	positional []expression
	names      []string
	named      []expression
	star       expression // *list
	doubleStar expression // **dict
}
