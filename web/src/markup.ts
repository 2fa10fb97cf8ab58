// The little Markdown that models write, as elements. Text is only ever set as text, so nothing that a model writes can
// become markup of another kind.

import { text } from "./text";

export function make<K extends keyof HTMLElementTagNameMap>(tag: K, className = "", content = ""): HTMLElementTagNameMap[K] {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (content) e.textContent = content;
  return e;
}

/** Shows text in a place: paragraphs, headings, lists, fenced code, `code`, **bold**. */
export function show(place: HTMLElement, source: string): void {
  const out = document.createDocumentFragment();
  const lines = source.split("\n");
  let list = null as HTMLElement | null;
  let paragraph = null as HTMLElement | null;
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i];
    const fence = /^\s*```(\S*)/.exec(line);
    if (fence) {
      const body: string[] = [];
      while (++i < lines.length && !/^\s*```/.test(lines[i])) body.push(lines[i]);
      out.append(code(body.join("\n")));
      list = paragraph = null;
      continue;
    }
    const heading = /^#{1,4}\s+(.*)/.exec(line);
    const item = /^\s*(?:[-*•]|\d{1,3}[.)、])\s+(.*)/.exec(line);
    if (heading) {
      const h = make("h3");
      inline(h, heading[1]);
      out.append(h);
      list = paragraph = null;
    } else if (item) {
      const kind = /^\s*\d/.test(line) ? "ol" : "ul";
      if (list?.localName !== kind) {
        list = make(kind);
        if (kind === "ol") list.setAttribute("start", /\d+/.exec(line)![0]);
        out.append(list);
      }
      const li = make("li");
      inline(li, item[1]);
      list.append(li);
      paragraph = null;
    } else if (line.trim() === "") {
      list = paragraph = null;
    } else {
      list = null;
      if (paragraph) paragraph.append(make("br"));
      else out.append((paragraph = make("p")));
      inline(paragraph, line);
    }
  }
  place.replaceChildren(out);
}

function inline(place: HTMLElement, line: string): void {
  for (const part of line.split(/(`[^`]+`|\*\*[^*]+\*\*)/)) {
    if (part.length > 2 && part.startsWith("`") && part.endsWith("`")) place.append(make("code", "", part.slice(1, -1)));
    else if (part.length > 4 && part.startsWith("**") && part.endsWith("**")) place.append(make("strong", "", part.slice(2, -2)));
    else if (part) place.append(part);
  }
}

function code(source: string): HTMLElement {
  const box = make("div", "code");
  const pre = make("pre");
  pre.append(make("code", "", source));
  box.append(pre, copyButton(() => source));
  return box;
}

export function copyButton(source: () => string): HTMLButtonElement {
  const button = make("button", "quiet", text("web.copy"));
  button.type = "button";
  button.onclick = async () => {
    await navigator.clipboard?.writeText(source());
    button.textContent = text("web.copied");
    setTimeout(() => (button.textContent = text("web.copy")), 1500);
  };
  return button;
}
