package serve_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"lian/serve"
	"lian/serve/servetest"
)

// browser opens a tab of Chromium, or skips. What goes wrong on the page fails the test.
func browser(t *testing.T, language string) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("needs Chromium on the path")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1100, 760),
		chromedp.Flag("lang", language), chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(time.Minute))
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	var mu sync.Mutex
	var thrown []string
	listen(t, ctx, func(e *runtime.EventExceptionThrown) {
		mu.Lock()
		defer mu.Unlock()
		thrown = append(thrown, fmt.Sprintf("%+v", e.ExceptionDetails))
	})
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		for _, text := range thrown {
			t.Errorf("the page threw: %s", text)
		}
	})
	call(t, ctx, emulation.SetLocaleOverride, emulation.SetLocaleOverrideParams{Locale: language})
	call(t, ctx, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: "test", AcceptLanguage: language})
	return ctx
}

// listen gets the events of one type.
func listen[E any](t *testing.T, ctx context.Context, f func(*E)) {
	t.Helper()
	err := chromedp.Listen(ctx, func(e any) {
		if e, ok := e.(*E); ok {
			f(e)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func call[P, R any](t *testing.T, ctx context.Context, command cdp.Command[P, R], params P) {
	t.Helper()
	if _, err := chromedp.Call(ctx, command, params); err != nil {
		t.Fatal(err)
	}
}

// do runs steps, each within a bound.
func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// shot saves a picture where LIAN_SHOTS says, to be looked at.
func shot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	dir := os.Getenv("LIAN_SHOTS")
	if dir == "" {
		return
	}
	do(t, ctx, chromedp.Sleep(250*time.Millisecond))
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644); err != nil {
		t.Fatal(err)
	}
}

// until waits for an expression to be true.
func until(t *testing.T, ctx context.Context, expression string) {
	t.Helper()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(20*time.Second))); err != nil {
		body, _ := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("body")))
		t.Fatalf("%s: %v; the page says: %s", expression, err, body)
	}
}

func eval[T any](t *testing.T, ctx context.Context, expression string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// press presses and releases one key.
func press(t *testing.T, ctx context.Context, name string, code, modifiers int64) {
	t.Helper()
	k := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: name, Code: name, WindowsVirtualKeyCode: code, Modifiers: modifiers}
	if name == "Enter" && code == 13 {
		k.Text = "\r"
	}
	call(t, ctx, input.DispatchKeyEvent, k)
	k.Type, k.Text = input.DispatchKeyEventTypeKeyUp, ""
	call(t, ctx, input.DispatchKeyEvent, k)
}

func write(t *testing.T, ctx context.Context, text string) {
	t.Helper()
	call(t, ctx, input.InsertText, input.InsertTextParams{Text: text})
}

const shiftKey = 8

const (
	sent  = `document.querySelectorAll("article.user").length`
	reply = `(document.querySelector("article.assistant:last-of-type .body")?.innerText ?? "")`
)

func TestThePageSendsChineseAfterAComposition(t *testing.T) {
	ctx := browser(t, "zh-CN")
	file := filepath.Join(t.TempDir(), "suggestions.json")
	if err := os.WriteFile(file, []byte(`[{"prompt":"写一首题为《秋夜》的诗。","answer":"…"},{"prompt":"《静夜思》的作者是谁？","answer":"李白"},{"prompt":"“床前明月光”的下一句是什么？"},{"prompt":"用搜索工具找一首写长江的诗。","tools":[{"type":"function","function":{"name":"search","parameters":{"type":"object","properties":{"query":{"type":"string","maxLength":6}},"required":["query"]}}}]}]`), 0o644); err != nil {
		t.Fatal(err)
	}
	const answer = "你好！我是一个小模型。\n\n- 会写诗\n- 会查资料\n\n```go\nfmt.Println(\"你好\")\n```\n**完**"
	var mu sync.Mutex
	var prompts []string
	fake := &servetest.Fake{Suggestions: file, Delay: 8 * time.Millisecond, Script: func(prompt string) string {
		mu.Lock()
		defer mu.Unlock()
		if strings.HasPrefix(prompt, "[tool search]") {
			return "我来找找。\n<tool_call>\n{\"name\": \"search\", \"arguments\": {\"query\": \"长江\"}}\n</tool_call>"
		}
		prompts = append(prompts, prompt)
		return answer
	}}
	url := open(t, fake, serve.Options{})
	var elsewhere []string
	asked := 0
	listen(t, ctx, func(r *network.EventRequestWillBeSent) {
		mu.Lock()
		asked++
		mu.Unlock()
		if !strings.HasPrefix(r.Request.URL, url) && !strings.HasPrefix(r.Request.URL, "data:") {
			mu.Lock()
			elsewhere = append(elsewhere, r.Request.URL)
			mu.Unlock()
		}
	})
	do(t, ctx, chromedp.Navigate(url))
	until(t, ctx, `document.querySelectorAll(".card").length === 4`)
	if got := eval[string](t, ctx, `document.querySelector("#input").placeholder`); got != "输入消息…" {
		t.Errorf("a Chinese browser is greeted with %q", got)
	}
	shot(t, ctx, "welcome-zh")

	// An input method composes "ni hao" and Enter picks the candidate.
	do(t, ctx, chromedp.Focus(chromedp.CSS("#input")))
	call(t, ctx, input.ImeSetComposition, input.ImeSetCompositionParams{Text: "nihao", SelectionStart: 5, SelectionEnd: 5})
	press(t, ctx, "Process", 229, 0)
	press(t, ctx, "Enter", 13, 0)
	press(t, ctx, "Enter", 229, 0)
	if got := eval[int](t, ctx, sent); got != 0 {
		t.Fatal("Enter while composing has sent the message")
	}
	// Safari's order: the composition is over, and only the key code tells that Enter belonged to it.
	for _, event := range []string{`{key:"Enter",isComposing:true,bubbles:true}`, `{key:"Enter",keyCode:229,bubbles:true}`} {
		eval[bool](t, ctx, `document.querySelector("#input").dispatchEvent(new KeyboardEvent("keydown",`+event+`))`)
	}
	if got := eval[int](t, ctx, sent); got != 0 {
		t.Fatal("Enter of an input method has sent the message")
	}
	write(t, ctx, "你好")
	until(t, ctx, `document.querySelector("#input").value.includes("你好")`)
	before := eval[string](t, ctx, `document.querySelector("#input").value`)
	press(t, ctx, "Enter", 13, 0)
	until(t, ctx, sent+` === 1`)
	// The reply streams: at some moment part of it stands there.
	until(t, ctx, reply+`.startsWith("你好！") && !`+reply+`.includes("完") && document.querySelector("article[aria-busy]") !== null`)
	if hidden := eval[bool](t, ctx, `document.querySelector("#stop").hidden`); hidden {
		t.Error("there is no stop button while a reply streams")
	}
	until(t, ctx, `document.querySelector("article.assistant .foot") !== null`)
	got := eval[string](t, ctx, reply)
	for _, want := range []string{"你好！我是一个小模型。", "会写诗", `fmt.Println("你好")`, "完"} {
		if !strings.Contains(got, want) {
			t.Errorf("the reply %q lacks %q", got, want)
		}
	}
	mu.Lock()
	if len(prompts) != 1 || !strings.Contains(prompts[0], "user: "+before) {
		t.Errorf("the server was asked %q, the box had %q", prompts, before)
	}
	if len(elsewhere) > 0 || asked < 5 {
		t.Errorf("of %d requests, these went elsewhere: %v", asked, elsewhere)
	}
	mu.Unlock()
	shot(t, ctx, "reply-zh")

	// A suggestion with a tool: the call is a folded block.
	do(t, ctx, chromedp.Click(chromedp.CSS("#new")), chromedp.Click(chromedp.CSS(".card:nth-child(4)")))
	until(t, ctx, `document.querySelector("article.assistant .foot") !== null`)
	if got := eval[string](t, ctx, `document.querySelector("details.call").textContent`); !strings.Contains(got, "search") || !strings.Contains(got, "长江") {
		t.Errorf("the call is shown as %q", got)
	}
	if open := eval[bool](t, ctx, `document.querySelector("details.call").open`); open {
		t.Error("the call is not folded")
	}
	do(t, ctx, chromedp.Click(chromedp.CSS("details.call summary")))
	shot(t, ctx, "tool-zh")

	// Language and theme.
	do(t, ctx, chromedp.Click(chromedp.CSS("#new")), chromedp.Click(chromedp.CSS("#language")), chromedp.Click(chromedp.CSS("#theme")))
	until(t, ctx, `document.querySelector("#try").textContent === "Prompts it can do" && document.documentElement.lang === "en"`)
	shot(t, ctx, "welcome-en-dark")
}

func TestShiftEnterStopAndErrorsOnThePage(t *testing.T) {
	ctx := browser(t, "en-US")
	fake := &servetest.Fake{Delay: 10 * time.Millisecond, Script: func(prompt string) string { return strings.Repeat("word ", 400) }, Context: 1 << 16}
	url := open(t, fake, serve.Options{APIKey: "k"})
	call(t, ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 390, Height: 780, DeviceScaleFactor: 2, Mobile: true})
	do(t, ctx, chromedp.Navigate(url))
	until(t, ctx, `document.querySelector(".error")?.textContent.includes("API key")`)
	eval[bool](t, ctx, `(localStorage.setItem("lian.key","k"), localStorage.setItem("lian.maxTokens","4000"), true)`)
	do(t, ctx, chromedp.Navigate(url))
	until(t, ctx, `document.querySelector("#model-line").textContent.startsWith("fake")`)
	do(t, ctx, chromedp.Focus(chromedp.CSS("#input")))
	write(t, ctx, "one")
	press(t, ctx, "Enter", 13, shiftKey)
	write(t, ctx, "two")
	if got := eval[string](t, ctx, `document.querySelector("#input").value`); got != "one\ntwo" {
		t.Fatalf("after Shift+Enter the box has %q", got)
	}
	do(t, ctx, chromedp.Click(chromedp.CSS("#send")))
	until(t, ctx, reply+`.includes("word word")`)
	shot(t, ctx, "phone")
	do(t, ctx, chromedp.Click(chromedp.CSS("#stop")))
	until(t, ctx, `document.querySelector(".foot")?.textContent.includes("stopped")`)
	for range 200 {
		if fake.Cancelled() == 1 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the server goes on after the stop button")
}
