package talk

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"lian/chain/step"
	"lian/chat"
	"lian/config"
	"lian/message"
)

// errQuit ends the conversation.
var errQuit = errors.New("quit")

// command is something that is done instead of said. "chat.help.NAME" says what.
type command struct {
	name      string
	also      []string // other names of it
	arguments string
	run       func(t *Talk, ctx context.Context, argument string) error
}

// commands are all of them, in the order in which /help shows them.
func commands() []command {
	return []command{
		{"/help", []string{"/?"}, "", (*Talk).help},
		{"/regenerate", []string{"/retry"}, "", (*Talk).regenerate},
		{"/edit", nil, "[TEXT]", (*Talk).edit},
		{"/undo", nil, "", (*Talk).undo},
		{"/system", nil, "[TEXT]", (*Talk).system},
		{"/params", []string{"/set"}, "[NAME VALUE]", (*Talk).params},
		{"/thinking", []string{"/think"}, "[shown|folded|hidden]", (*Talk).setThinking},
		{"/image", nil, "FILE", (*Talk).image},
		{"/show", []string{"/history"}, "", (*Talk).showAll},
		{"/tokens", nil, "", (*Talk).tokens},
		{"/model", nil, "", (*Talk).model},
		{"/save", nil, "FILE", (*Talk).save},
		{"/load", nil, "FILE", (*Talk).load},
		{"/reset", []string{"/clear", "/new"}, "", (*Talk).reset},
		{"/quit", []string{"/exit", "/bye"}, "", func(*Talk, context.Context, string) error { return errQuit }},
	}
}

// obey does what a text asks for: a command, or an answer. Two slashes begin a text with one; a path is no command.
func (t *Talk) obey(ctx context.Context, text string) error {
	name, argument, _ := strings.Cut(text, " ")
	if first, rest, more := strings.Cut(name, "\n"); more {
		name, argument = first, rest+" "+argument
	}
	if !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") || strings.Contains(name[1:], "/") {
		if strings.HasPrefix(text, "//") {
			text = text[1:]
		}
		return t.answer(ctx, func(ctx context.Context, show showing) (*step.ChatReply, error) { return t.Say(ctx, text, show) })
	}
	var names []string
	for _, c := range commands() {
		if c.name == name || slices.Contains(c.also, name) {
			return c.run(t, ctx, strings.TrimSpace(argument))
		}
		names = append(append(names, c.name), c.also...)
	}
	if near := config.Nearest(name, names); near != "" {
		t.tell("chat.unknown_near", name, near)
	} else {
		t.tell("chat.unknown", name)
	}
	return nil
}

// complete are the commands, files and settings that a text may become.
func (t *Talk) complete(text string) (list []string) {
	if !strings.HasPrefix(text, "/") {
		return nil
	}
	name, argument, hasArgument := strings.Cut(text, " ")
	var all []string
	switch {
	case !hasArgument:
		for _, c := range commands() {
			end := ""
			if c.arguments != "" {
				end = " "
			}
			all = append(all, c.name+end)
		}
	case name == "/params" || name == "/set":
		for _, f := range config.Fields(t.Sampling()) {
			all = append(all, name+" "+f.Path+" ")
		}
	case name == "/thinking" || name == "/think":
		for _, way := range thinkingWays {
			all = append(all, name+" "+way)
		}
	case name == "/save" || name == "/load" || name == "/image":
		for _, file := range filesLike(argument) {
			all = append(all, name+" "+file)
		}
	}
	for _, s := range all {
		if strings.HasPrefix(s, text) {
			list = append(list, s)
		}
	}
	return list
}

// filesLike are the files whose name begins with a text.
func filesLike(begin string) (list []string) {
	dir := begin[:strings.LastIndexByte(begin, '/')+1]
	entries, err := os.ReadDir(cmp.Or(dir, "."))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		name := dir + e.Name()
		if e.IsDir() {
			name += "/"
		}
		list = append(list, name)
	}
	return list
}

// tell answers a command, however quiet the program is to be.
func (t *Talk) tell(key string, args ...any) { t.list([][]string{{t.out.T(key, args...)}}) }

func (t *Talk) help(context.Context, string) error {
	var rows [][]string
	for _, c := range commands() {
		rows = append(rows, []string{strings.TrimSpace(c.name + " " + c.arguments), t.out.T("chat.help." + c.name[1:])})
	}
	t.list(rows)
	t.tell("chat.keys")
	return nil
}

func (t *Talk) regenerate(ctx context.Context, _ string) error {
	if t.Sampling().Temperature == 0 {
		t.tell("chat.greedy")
	}
	return t.answer(ctx, t.Again)
}

// edit asks the last question in other words: those given, or those that the person makes of it.
func (t *Talk) edit(ctx context.Context, text string) error {
	if text == "" && t.editor == nil {
		t.tell("chat.needs", "/edit", "TEXT")
		return nil
	}
	question, err := t.Undo()
	if err != nil {
		return err
	}
	if text == "" {
		t.next = question
		return nil
	}
	return t.answer(ctx, func(ctx context.Context, show showing) (*step.ChatReply, error) { return t.Say(ctx, text, show) })
}

func (t *Talk) undo(context.Context, string) error {
	question, err := t.Undo()
	if err == nil {
		t.tell("chat.undone", abridge(question))
	}
	return err
}

// abridge is the first line of a text, cut where it is long.
func abridge(text string) string {
	first, _, more := strings.Cut(text, "\n")
	if runes := []rune(first); len(runes) > 60 {
		first, more = string(runes[:60]), true
	}
	if more {
		first += "…"
	}
	return first
}

func (t *Talk) system(_ context.Context, text string) error {
	switch text {
	case "":
	case "-":
		t.SetSystem("")
	default:
		t.SetSystem(unquote(text))
	}
	if now := t.System(); now != "" {
		t.tell("chat.system", now)
	} else {
		t.tell("chat.no_system")
	}
	return nil
}

// params shows how tokens are chosen, or changes it: NAME VALUE or NAME=VALUE.
func (t *Talk) params(_ context.Context, argument string) error {
	if argument != "" {
		name, value, ok := strings.Cut(argument, "=")
		if !ok {
			name, value, ok = strings.Cut(argument, " ")
		}
		name = strings.ReplaceAll(strings.TrimLeft(strings.TrimSpace(name), "-"), "-", "_")
		if !ok {
			return fmt.Errorf("/params %s: expected a name and a value, such as temperature 0.2", argument)
		}
		if err := config.SetField(t.Sampling(), name, strings.TrimSpace(value)); err != nil {
			return fmt.Errorf("/params %w", err)
		}
		t.tell("chat.param", name, strings.TrimSpace(value))
		return nil
	}
	flags := pflag.NewFlagSet("params", pflag.ContinueOnError)
	flags.SortFlags = false
	if err := config.BindFlags(flags, t.Sampling()); err != nil {
		return err
	}
	var rows [][]string
	flags.VisitAll(func(f *pflag.Flag) {
		rows = append(rows, []string{strings.ReplaceAll(f.Name, "-", "_"), cmp.Or(f.Value.String(), "–"), message.Help(t.out.Lang, f.Usage)})
	})
	t.list(rows)
	return nil
}

var thinkingWays = []string{"shown", "folded", "hidden"}

func (t *Talk) setThinking(_ context.Context, way string) error {
	if way != "" {
		if !slices.Contains(thinkingWays, way) {
			return fmt.Errorf("/thinking: expected one of %s, found %q", strings.Join(thinkingWays, ", "), way)
		}
		t.thinking = way
	}
	t.tell("chat.param", "thinking", t.thinking)
	return nil
}

func (t *Talk) image(context.Context, string) error {
	t.tell("chat.no_images", t.Name())
	return nil
}

// showAll shows the conversation.
func (t *Talk) showAll(context.Context, string) error {
	if len(t.Messages) == 0 {
		return step.ErrNothingSaid
	}
	to := t.out.Stdout()
	if !t.interactive || t.out.JSON {
		to = t.out.Stderr() // a pipe reads answers only
	}
	for _, m := range t.Messages {
		who := m.Role
		if key := "chat.role." + m.Role; message.Has(key) {
			who = t.out.T(key)
		}
		fmt.Fprintln(to, who+":")
		v := &view{Talk: t, to: to}
		if m.Reasoning != "" {
			v.piece(chat.ReplyReasoning, m.Reasoning)
		}
		v.piece(chat.ReplyContent, m.Content)
		v.end()
	}
	return nil
}

func (t *Talk) tokens(context.Context, string) error {
	n, err := t.Tokens()
	if err == nil {
		t.tell("chat.tokens", n.Used, n.Context, n.Turns, n.Model)
	}
	return err
}

func (t *Talk) model(context.Context, string) error {
	fmt.Fprint(t.out.Stderr(), t.out.Describe(t.Model()))
	return nil
}

func (t *Talk) save(_ context.Context, path string) error {
	if path == "" {
		path = t.file
	}
	if path == "" {
		t.tell("chat.needs", "/save", "FILE")
		return nil
	}
	if path != t.file && !replaceable(path) {
		return fmt.Errorf("/save %s: the file exists and is no conversation; name another", path)
	}
	if err := t.Save(path); err != nil {
		return err
	}
	t.file = path
	t.tell("root.wrote", path)
	return nil
}

// replaceable says whether nothing is lost where a conversation is written: no file, or another conversation.
func replaceable(path string) bool {
	text, err := os.ReadFile(path)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	var file struct{ Messages []json.RawMessage }
	return json.Unmarshal(text, &file) == nil && file.Messages != nil
}

func (t *Talk) load(_ context.Context, path string) error {
	if path == "" {
		t.tell("chat.needs", "/load", "FILE")
		return nil
	}
	if err := t.Load(path); err != nil {
		return err
	}
	t.file = path
	t.tell("chat.loaded", len(t.Messages), path)
	return nil
}

func (t *Talk) reset(context.Context, string) error {
	t.Reset()
	t.tell("chat.reset")
	return nil
}
