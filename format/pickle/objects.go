package pickle

import (
	"fmt"
	"slices"
)

// refer does the opcodes that speak of what is outside the pickle.
func (m *machine) refer(op opcode) error {
	switch op {
	case opGlobal:
		module, err := m.line()
		if err != nil {
			return err
		}
		name, err := m.line()
		if err != nil {
			return err
		}
		return m.global(module, name)
	case opStackGlobal:
		names, err := m.popN(2)
		if err != nil {
			return err
		}
		module, ok1 := names[0].(string)
		name, ok2 := names[1].(string)
		if !ok1 || !ok2 {
			return fmt.Errorf("STACK_GLOBAL of %s and %s, texts are expected", TypeName(names[0]), TypeName(names[1]))
		}
		return m.global(module, name)
	case opBinPersID:
		id, err := m.pop()
		if err != nil {
			return err
		}
		if m.o.Persistent == nil {
			return fmt.Errorf("a persistent id where none is expected")
		}
		v, err := m.o.Persistent(id)
		if err != nil {
			return err
		}
		return m.push(v, costObject)
	case opBuild:
		return m.build()
	}
	return m.call(op)
}

func (m *machine) global(module, name string) error {
	g, ok := m.o.Find(module, name)
	if !ok {
		return fmt.Errorf("global %s.%s is not on the list of what Lian reads, and no code of a checkpoint is run; save the weights alone (a state dict, or safetensors) where the file was made", module, name)
	}
	return m.push(g, len(module)+len(name)+costObject)
}

// call does REDUCE and NEWOBJ, which for data come to the same.
func (m *machine) call(op opcode) error {
	what := "REDUCE"
	if op == opNewObj {
		what = "NEWOBJ"
	}
	pair, err := m.popN(2)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	g, ok := pair[0].(*Global)
	if !ok || g.Call == nil {
		return fmt.Errorf("%s of %s, which is not something to call", what, TypeName(pair[0]))
	}
	args, ok := pair[1].(Tuple)
	if !ok {
		return fmt.Errorf("%s of %s with %s, a tuple is expected", what, g.Name, TypeName(pair[1]))
	}
	cost := costObject
	for _, a := range args { // what is made may hold a copy of each
		cost += costValue + extent(a)
	}
	if err := m.o.Budget.Take(cost); err != nil {
		return err
	}
	v, err := g.Call(args)
	if err != nil {
		return fmt.Errorf("%s: %w", g.Name, err)
	}
	return m.push(v, 0)
}

// extent is what a copy of a value's own items takes.
func extent(v any) int {
	switch v := v.(type) {
	case string:
		return len(v)
	case Tuple:
		return costValue * len(v)
	case *List:
		return 2 * costValue * len(v.Items)
	case *Set:
		return costValue * len(v.Items)
	case *Dict:
		return 4 * costValue * len(v.Pairs)
	}
	return costValue
}

// build gives an object its state.
func (m *machine) build() error {
	state, err := m.pop()
	if err != nil {
		return err
	}
	v, err := m.top()
	if err != nil {
		return err
	}
	if s, ok := v.(Stateful); ok {
		if err := s.SetState(state); err != nil {
			return fmt.Errorf("BUILD of %s: %w", TypeName(v), err)
		}
		return nil
	}
	d, ok := v.(*Dict)
	if !ok {
		return fmt.Errorf("BUILD of %s, which takes no state here", TypeName(v))
	}
	if !d.Object {
		d.Attributes = state
		return nil
	}
	attributes, ok := state.(*Dict)
	if !ok {
		return fmt.Errorf("BUILD of %s with %s, a dict is expected", TypeName(v), TypeName(state))
	}
	if err := m.o.Budget.Take(2 * costValue * len(attributes.Pairs)); err != nil {
		return err
	}
	d.Pairs = append(d.Pairs, slices.Clone(attributes.Pairs)...) // d may be its own state
	return nil
}

// container does the opcodes that make and fill containers.
func (m *machine) container(op opcode) error {
	switch op {
	case opEmptyTuple:
		return m.push(Tuple{}, 24)
	case opEmptyList:
		return m.push(&List{}, costObject)
	case opEmptyDict:
		return m.push(&Dict{}, costObject+48)
	case opEmptySet:
		return m.push(&Set{}, costObject)
	case opTuple1, opTuple2, opTuple3:
		items, err := m.popN(int(op-opTuple1) + 1)
		if err != nil {
			return err
		}
		return m.push(Tuple(slices.Clone(items)), 24+costValue*len(items))
	case opTuple, opList, opDict, opFrozenSet:
		items, err := m.popMark()
		if err != nil {
			return err
		}
		return m.collect(op, slices.Clone(items))
	case opAppends, opAddItems, opSetItems:
		items, err := m.popMark()
		if err != nil {
			return err
		}
		return m.fill(op, items)
	case opAppend:
		items, err := m.popN(1)
		if err != nil {
			return err
		}
		return m.fill(opAppends, items)
	case opSetItem:
		items, err := m.popN(2)
		if err != nil {
			return err
		}
		return m.fill(opSetItems, items)
	}
	return fmt.Errorf("pickle opcode %v is not on the list of what Lian reads", op)
}

// collect makes a full container, whose items are the caller's to give away.
func (m *machine) collect(op opcode, items []any) error {
	cost := costObject + costValue*len(items)
	switch op {
	case opTuple:
		return m.push(Tuple(items), cost)
	case opList:
		return m.push(&List{items}, cost)
	case opFrozenSet:
		return m.push(&Set{items}, cost)
	}
	if err := m.push(&Dict{}, cost); err != nil {
		return err
	}
	return m.fill(opSetItems, items)
}

// fill adds items to the container on top of the stack.
func (m *machine) fill(op opcode, items []any) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	// A slice that grows by append is copied now and then: twice its size in all.
	if err := m.o.Budget.Take(3 * costValue * len(items)); err != nil {
		return err
	}
	switch c := v.(type) {
	case *List:
		if op == opAppends {
			c.Items = append(c.Items, items...)
			return nil
		}
	case *Set:
		if op == opAddItems {
			c.Items = append(c.Items, items...)
			return nil
		}
	case *Dict:
		if op == opSetItems && len(items)%2 == 0 {
			for i := 0; i < len(items); i += 2 {
				c.Pairs = append(c.Pairs, Pair{items[i], items[i+1]})
			}
			return nil
		}
	}
	return fmt.Errorf("%d items do not go into %s", len(items), TypeName(v))
}
