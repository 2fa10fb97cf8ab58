// The page of plots: curves of one training or of several over each other. Written into one file, the data lies in the page; served, they are
// asked for and asked for again while a run goes on.

import { type Curve, draw, smoothed } from "./chart";

interface Series {
  name: string;
  step: number[];
  tokens: number[];
  seconds: number[];
  value: number[];
  low?: number[];
  high?: number[];
}

interface Run {
  label: string;
  status: string;
  series: Series[];
  notes: { step: number; kind: string; text: string }[];
  samples: { step: number; prompt: string; answer: string }[];
  figures: { name: string; value: number; unit: string }[];
}

interface Data {
  runs: Run[];
  texts: Record<string, Record<string, string>>;
  language?: string;
}

/** What is drawn: a figure, or all parts of one (loss/*); the most of them come first. */
const panels: { title: string; of: string[]; parts?: string[]; unit?: string }[] = [
  { title: "loss", of: ["loss"], unit: "nats" },
  { title: "bits", of: ["bits_per_byte", "heldout"], unit: "bits" },
  { title: "bitsBy", of: [], parts: ["bits_per_byte", "heldout"], unit: "bits" },
  { title: "tasks", of: [], parts: ["tasks"], unit: "share" },
  { title: "lr", of: ["lr"] },
  { title: "norm", of: ["gradient_norm"] },
  { title: "norms", of: [], parts: ["gradient_norms"] },
  { title: "updates", of: [], parts: ["update_ratios"] },
  { title: "logits", of: ["attention_logit"] },
  { title: "rate", of: ["tokens_per_second_moving", "tokens_per_second_mean"], unit: "rate" },
  { title: "mfu", of: ["mfu", "hfu"], unit: "share" },
  { title: "memory", of: [], parts: ["memory"], unit: "bytes" },
  { title: "skipped", of: ["skipped"] },
];

const element = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const over = element<HTMLSelectElement>("over");
const smooth = element<HTMLInputElement>("smooth");
const logX = element<HTMLInputElement>("logx");
const logY = element<HTMLInputElement>("logy");

let data: Data | null = JSON.parse(element("data").textContent!);
const live = data === null;
let language = "en";

function text(key: string): string {
  return data?.texts[language]?.["plot." + key] ?? key;
}

function short(n: number, digits = 4): string {
  if (n !== 0 && (Math.abs(n) < 1e-3 || Math.abs(n) >= 1e15)) return n.toExponential(2).replace(/\.?0+e/, "e");
  const big = Math.abs(n) >= 1e4;
  return new Intl.NumberFormat(language === "zh" ? "zh-CN" : "en", { notation: big ? "compact" : "standard", maximumSignificantDigits: digits }).format(n);
}

function duration(s: number): string {
  if (s < 120) return `${short(s, 3)} s`;
  return s < 7200 ? `${short(s / 60, 3)} min` : `${short(s / 3600, 3)} h`;
}

function writer(unit?: string): (n: number) => string {
  if (unit === "bytes") return (n) => (n >= 2 ** 30 ? `${short(n / 2 ** 30, 3)} GiB` : `${short(n / 2 ** 20, 3)} MiB`);
  if (unit === "share") return (n) => `${short(n * 100, 3)} %`;
  return short;
}

/** The curves of a panel. One run: colours are its parts. Several: colours are the runs, dashes their parts. */
function curves(panel: (typeof panels)[number], runs: Run[]): Curve[] {
  const out: Curve[] = [];
  runs.forEach((run, number) => {
    const parts = run.series.filter((s) => panel.of.includes(s.name) || panel.parts?.some((p) => s.name.startsWith(p + "/")));
    parts.forEach((s, part) => {
      const name = s.name.replace(/^(gradient_norms|update_ratios|memory|tasks)\//, "");
      const words = name.split("/").map((w) => data?.texts[language]?.["plot.word." + w] ?? w.replaceAll("_", " "));
      const several = runs.length > 1;
      out.push({
        label: several ? (parts.length > 1 ? `${run.label} · ${words.join(" · ")}` : run.label) : words.join(" · "),
        colour: (several ? number : part) % 8,
        part: several ? part % 3 : 0,
        x: s[over.value as "tokens" | "step" | "seconds"],
        y: smoothed(s.value, Number(smooth.value) * Number(s.value.length > 30)),
        low: s.low,
        high: s.high,
        dots: s.value.length <= 30,
      });
    });
  });
  return out;
}

function drawAll(): void {
  if (!data) return;
  const holder = element("charts");
  const axis = over.value as "tokens" | "step" | "seconds";
  const used: HTMLElement[] = [];
  for (const panel of panels) {
    const list = curves(panel, data.runs);
    if (!list.length) continue;
    let figure = document.getElementById("panel-" + panel.title);
    if (!figure) {
      figure = document.createElement("figure");
      figure.id = "panel-" + panel.title;
      holder.append(figure);
    }
    used.push(figure);
    const marks = data.runs.flatMap((run) =>
      run.notes.filter((n) => n.step > 0).flatMap((n) => {
        const s = run.series.find((x) => x.name === "loss");
        const i = s ? s.step.findIndex((step) => step >= n.step) : -1;
        return i < 0 ? [] : [s![axis][i]!];
      }),
    );
    draw(figure, text(panel.title), panel.unit && panel.unit !== "share" && panel.unit !== "bytes" ? text("unit." + panel.unit) : "", list, {
      logX: logX.checked,
      logY: logY.checked,
      writeX: axis === "seconds" ? duration : (n) => `${short(n, 3)}`,
      writeY: writer(panel.unit),
      marks,
    }, drawAll);
  }
  holder.replaceChildren(...used);
}

function cell(row: HTMLTableRowElement, content: string | Node, name = ""): void {
  const td = row.insertCell();
  td.className = name;
  td.append(content);
}

function table(holder: HTMLElement, heads: [string, string][]): HTMLTableElement {
  const t = document.createElement("table");
  const row = t.createTHead().insertRow();
  for (const [head, name] of heads) {
    const th = document.createElement("th");
    th.textContent = head;
    th.className = name;
    row.append(th);
  }
  holder.append(t);
  return t;
}

function tables(): void {
  if (!data) return;
  const runs = element("runs");
  runs.replaceChildren();
  const names = [...new Set(data.runs.flatMap((r) => r.figures.map((f) => f.name)))];
  const t = table(runs, [[text("run"), ""], [text("status"), ""], ...names.map((n): [string, string] => [text("figure." + n), "number"])]).createTBody();
  data.runs.forEach((run, i) => {
    const row = t.insertRow();
    const label = document.createElement("span");
    const colour = document.createElement("i");
    colour.style.borderColor = `var(--c${data!.runs.length > 1 ? i % 8 : 0})`;
    label.append(colour, run.label);
    cell(row, label);
    cell(row, text("status." + run.status));
    for (const n of names) {
      const f = run.figures.find((x) => x.name === n);
      cell(row, f ? (f.unit === "seconds" ? duration(f.value) : writer(f.unit)(f.value)) : "—", "number");
    }
  });
  const notes = element("notes");
  notes.replaceChildren();
  const all = data.runs.flatMap((run) => run.notes.map((note) => ({ run, note })));
  if (all.length) {
    const h = document.createElement("h2");
    h.textContent = text("notes");
    notes.append(h);
    const body = table(notes, [[text("run"), ""], [text("step"), "number"], [text("what"), ""], ["", ""]]).createTBody();
    for (const { run, note } of all.slice(-200)) {
      const row = body.insertRow();
      cell(row, run.label);
      cell(row, note.step ? short(note.step) : "", "number");
      cell(row, note.kind);
      cell(row, note.text, "wide");
    }
  }
  const samples = element("samples");
  samples.replaceChildren();
  for (const run of data.runs) {
    if (!run.samples.length) continue;
    const h = document.createElement("h2");
    h.textContent = `${text("samples")} · ${run.label}`;
    samples.append(h);
    for (const s of run.samples) {
      const q = document.createElement("blockquote");
      const prompt = document.createElement("em");
      prompt.textContent = s.prompt;
      q.append(prompt, s.answer, ` (${text("step")} ${s.step})`);
      samples.append(q);
    }
  }
}

function show(): void {
  if (!data) return;
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const e of document.querySelectorAll<HTMLElement>("[data-text]")) e.textContent = text(e.dataset.text!.replace("plot.", ""));
  document.title = text("title") + " · " + data.runs.map((r) => r.label).join(", ");
  const state = element("state");
  state.hidden = data.runs.some((r) => r.series.length);
  state.textContent = text("empty");
  tables();
  drawAll();
}

/** What is kept of the reader's choices; pages opened from a file may have nowhere to keep them. */
function kept(name: string, value?: string): string | null {
  try {
    if (value !== undefined) localStorage.setItem("lian." + name, value);
    return localStorage.getItem("lian." + name);
  } catch {
    return value ?? null;
  }
}

async function follow(): Promise<void> {
  for (;;) {
    try {
      const key = kept("key");
      const response = await fetch("/lian/runs" + location.search, { headers: key ? { Authorization: `Bearer ${key}` } : {} });
      if (response.ok) {
        const first = data === null;
        data = await response.json();
        if (first) begin();
        else show();
      }
    } catch {
      // the server has ended: what was drawn stays
    }
    await new Promise((wake) => setTimeout(wake, 3000));
  }
}

function begin(): void {
  language = kept("language") ?? data?.language ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
  if (!data?.texts[language]) language = "en";
  show();
}

for (const control of [over, smooth, logX, logY]) control.addEventListener("input", drawAll);
element("language").onclick = () => {
  language = language === "zh" ? "en" : "zh";
  kept("language", language);
  show();
};
const theme = kept("theme");
if (theme) document.documentElement.dataset.theme = theme;
element("theme").onclick = () => {
  const root = document.documentElement.dataset;
  const dark = root.theme ? root.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.theme = dark ? "light" : "dark";
  kept("theme", root.theme);
};
addEventListener("resize", drawAll);
if (live) void follow();
else begin();
