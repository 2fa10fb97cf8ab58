// The page of lian serve: a chat with the models that the server has.

import { chat, models, Refused, suggestions, type Model, type Suggestion, type ToolCall, type Turn } from "./api";
import { grow, onEnter } from "./compose";
import { copyButton, make, show } from "./markup";
import { loadTexts, otherLanguage, short, text, translate } from "./text";

const by = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const log = by("log");
const input = by<HTMLTextAreaElement>("input");
const welcome = by("welcome");
const modelBox = by<HTMLSelectElement>("model");
const temperature = by<HTMLInputElement>("temperature");
const maxTokens = by<HTMLInputElement>("max-tokens");
const system = by<HTMLTextAreaElement>("system");
const key = by<HTMLInputElement>("key");

let served: Model[] = [];
let offered: Suggestion[] = [];
let turns: Turn[] = [];
let tools: unknown[] | undefined; // of the suggestion that the conversation began with
let running: AbortController | null = null;

const model = () => served.find((m) => m.id === modelBox.value) ?? served[0];

function modelLine(): void {
  const m = model();
  if (!m) return;
  const parts = [m.id, m.description, m.parameters ? text("web.parameters", { count: short(m.parameters) }) : "", m.type, text("web.context", { count: m.context.toLocaleString() })];
  by("model-line").textContent = parts.filter(Boolean).join(" · ");
}

async function begin(): Promise<void> {
  try {
    served = await models();
  } catch (e) {
    report(e);
    return;
  }
  modelBox.replaceChildren(...served.map((m) => new Option(m.id)));
  modelBox.hidden = served.length < 2;
  await pick();
}

/** What follows from the chosen model. */
async function pick(): Promise<void> {
  modelLine();
  temperature.value = localStorage.getItem("lian.temperature") ?? String(model().temperature);
  // Half of a small context is left for the question.
  maxTokens.value = localStorage.getItem("lian.maxTokens") ?? String(Math.min(256, Math.floor(model().context / 2)));
  system.value = localStorage.getItem("lian.system") ?? model().system ?? "";
  by("temperature-value").textContent = temperature.value;
  offered = await suggestions(model().id).catch(() => []);
  showSuggestions();
}

/** At most n of them: of each kind one, then the second of each, as long as there is room; in their order. */
function spread(all: Suggestion[], n: number): Suggestion[] {
  const count = new Map<string, number>();
  const round = all.map((s) => {
    const kind = s.template ?? s.prompt;
    count.set(kind, (count.get(kind) ?? 0) + 1);
    return count.get(kind)!;
  });
  const order = all.map((_, i) => i).sort((a, b) => round[a] - round[b] || a - b);
  return order.slice(0, n).sort((a, b) => a - b).map((i) => all[i]);
}

function showSuggestions(): void {
  by("try").hidden = offered.length === 0;
  by("suggestions").replaceChildren(
    ...spread(offered, 8).map((s) => {
      const button = make("button", "card", s.prompt);
      button.type = "button";
      button.onclick = () => void send(s.prompt, s);
      return button;
    }),
  );
}

function atEnd(): boolean {
  return log.scrollHeight - log.scrollTop - log.clientHeight < 80;
}

function scroll(follow: boolean): void {
  if (follow) log.scrollTop = log.scrollHeight;
}

function bubble(role: "user" | "assistant"): HTMLElement {
  const article = make("article", role);
  article.setAttribute("aria-label", role === "user" ? text("web.you") : (model()?.id ?? "Lian"));
  log.append(article);
  return article;
}

function report(e: unknown): void {
  let message = text("web.unreachable");
  if (e instanceof Refused) message = e.status === 401 ? text("web.keyNeeded") : text("web.failed", { message: e.message });
  const box = make("p", "error", message);
  box.setAttribute("role", "alert");
  log.append(box);
  scroll(true);
}

function fold(title: string, body: string, className: string): HTMLElement {
  const details = make("details", className);
  const pre = make("pre", "", body);
  details.append(make("summary", "", title), pre);
  return details;
}

function pretty(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json;
  }
}

/** The reply that is being written, on the page. */
class Reply {
  private readonly article = bubble("assistant");
  private readonly thought = fold("…", "", "thought");
  private readonly body = make("div", "body");
  private readonly calls = make("div");
  private readonly begun = performance.now();
  private first = 0;
  private pending = 0;
  content = "";
  reasoning = "";

  constructor() {
    this.thought.hidden = true;
    this.body.append(make("span", "cursor"));
    this.article.setAttribute("aria-busy", "true");
    this.article.append(this.thought, this.body, this.calls);
  }

  /** Shows what has come, at most once a frame: a long reply is laid out anew each time. */
  draw(): void {
    if (!this.first) this.first = performance.now();
    this.pending ||= requestAnimationFrame(() => {
      this.pending = 0;
      const follow = atEnd();
      this.thought.hidden = this.reasoning === "";
      this.thought.lastElementChild!.textContent = this.reasoning;
      show(this.body, this.content);
      (this.body.lastElementChild ?? this.body).append(make("span", "cursor"));
      scroll(follow);
    });
  }

  call(c: ToolCall): void {
    const block = fold(text("web.toolCall", { name: c.name }), pretty(c.arguments), "call");
    block.append(make("small", "", text("web.toolNote")));
    this.calls.append(block);
    this.draw();
  }

  end(finish: string, tokens: number, again: () => void, answer?: string): void {
    cancelAnimationFrame(this.pending);
    const follow = atEnd();
    this.article.removeAttribute("aria-busy");
    this.thought.hidden = this.reasoning === "";
    show(this.body, this.content);
    if (!this.content && !this.calls.hasChildNodes()) this.body.append(make("p", "muted", text("web.empty")));
    const foot = make("div", "foot");
    if (finish === "length") foot.append(make("span", "", text("web.length")));
    if (finish === "stopped") foot.append(make("span", "", text("web.stopped")));
    if (tokens > 0) {
      const seconds = (performance.now() - this.begun) / 1000;
      const rate = (tokens / Math.max(seconds, 0.001)).toFixed(1);
      foot.append(make("span", "", text("web.rate", { tokens: String(tokens), rate, first: ((this.first - this.begun) / 1000).toFixed(2) })));
    }
    const retry = make("button", "quiet", text("web.retry"));
    retry.type = "button";
    retry.onclick = () => {
      if (running) return;
      this.remove();
      again();
    };
    foot.append(copyButton(() => this.content), retry);
    this.article.append(foot);
    if (answer) this.article.append(fold(text("web.expected"), answer, "expected"));
    scroll(follow);
  }

  remove(): void {
    this.article.remove();
  }
}

async function send(prompt: string, suggestion?: Suggestion): Promise<void> {
  if (running || !prompt.trim() || !model()) return;
  if (turns.length === 0) tools = suggestion?.tools;
  else if (suggestion) tools = suggestion.tools;
  turns.push({ role: "user", content: prompt });
  welcome.hidden = true;
  show(bubble("user"), prompt);
  scroll(true);
  await answer(suggestion?.answer);
}

/** Asks for a reply to the conversation as it is. */
async function answer(expected?: string): Promise<void> {
  const asked = turns.length;
  running = new AbortController();
  busy(true);
  const reply = new Reply();
  scroll(true);
  let finish = "";
  let tokens = 0;
  const again = () => {
    turns.length = asked;
    void answer(expected);
  };
  try {
    const first: Turn[] = system.value.trim() ? [{ role: "system", content: system.value }] : [];
    await chat(
      { model: model().id, turns: [...first, ...turns], tools, temperature: Number(temperature.value), maxTokens: Number(maxTokens.value) || undefined },
      {
        content: (t) => ((reply.content += t), reply.draw()),
        reasoning: (t) => ((reply.reasoning += t), reply.draw()),
        call: (c) => reply.call(c),
        end: (f, n) => ((finish = f), (tokens = n)),
      },
      running.signal,
    );
    reply.end(finish, tokens, again, expected);
  } catch (e) {
    if (running.signal.aborted) reply.end("stopped", 0, again);
    else if (reply.content) reply.end("", 0, again), report(e);
    else reply.remove(), report(e);
  }
  if (reply.content) turns.push({ role: "assistant", content: reply.content });
  else turns.length = asked - (finish ? 0 : 1);
  running = null;
  busy(false);
}

function busy(on: boolean): void {
  by("send").hidden = on;
  by("stop").hidden = !on;
  if (!on && !matchMedia("(pointer: coarse)").matches) input.focus();
}

function submit(): void {
  if (running || !input.value.trim()) return;
  const prompt = input.value;
  input.value = "";
  grow(input);
  void send(prompt);
}

function fresh(): void {
  running?.abort();
  turns = [];
  tools = undefined;
  log.replaceChildren();
  welcome.hidden = false;
  input.focus();
}

function theme(): void {
  const dark = document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  document.documentElement.dataset.theme = dark === "dark" ? "light" : "dark";
  localStorage.setItem("lian.theme", document.documentElement.dataset.theme);
}

/** Keeps the setting that was changed for the next visit. */
function remember(e: Event): void {
  const box = e.target as HTMLInputElement | HTMLTextAreaElement;
  localStorage.setItem("lian." + box.dataset.keep, box.value);
  if (box === key) {
    log.querySelectorAll(".error").forEach((old) => old.remove());
    void begin();
  }
}

async function main(): Promise<void> {
  const saved = localStorage.getItem("lian.theme");
  if (saved) document.documentElement.dataset.theme = saved;
  await loadTexts();
  translate();
  key.value = localStorage.getItem("lian.key") ?? "";
  onEnter(input, submit);
  input.addEventListener("input", () => grow(input));
  by("form").addEventListener("submit", (e) => (e.preventDefault(), submit()));
  by("stop").onclick = () => running?.abort();
  by("new").onclick = fresh;
  by("theme").onclick = theme;
  by("language").onclick = () => (otherLanguage(), translate(), modelLine());
  by("settings-open").onclick = () => by<HTMLDialogElement>("settings").showModal();
  by("settings").addEventListener("change", remember);
  temperature.oninput = () => (by("temperature-value").textContent = temperature.value);
  modelBox.onchange = () => (fresh(), void pick());
  await begin();
  input.focus();
}

void main();
