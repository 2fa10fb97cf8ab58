// What the page says, in the language of the reader: one table, from the server.

type Table = Record<string, string>;

let tables: Record<string, Table> = {};
let language = "en";

/** Fetches the tables and picks the language: the reader's last choice, or else the browser's. */
export async function loadTexts(): Promise<void> {
  tables = await (await fetch("/lian/messages")).json();
  const saved = localStorage.getItem("lian.language");
  language = saved ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
  if (!tables[language]) language = "en";
}

/** The text of a key, with {names} filled in. An unknown key is shown in brackets. */
export function text(key: string, fill: Record<string, string> = {}): string {
  const found = tables[language]?.[key];
  if (found === undefined) return `[${key}]`;
  return found.replace(/\{(\w+)\}/g, (whole, name: string) => fill[name] ?? whole);
}

/** Puts the texts into every element that names one. */
export function translate(root: ParentNode = document): void {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = text("web.title");
  for (const e of root.querySelectorAll<HTMLElement>("[data-text]")) e.textContent = text(e.dataset.text!);
  for (const e of root.querySelectorAll<HTMLElement>("[data-label]")) {
    e.setAttribute("aria-label", text(e.dataset.label!));
    if (e instanceof HTMLButtonElement) e.title = text(e.dataset.label!);
  }
  for (const e of root.querySelectorAll<HTMLTextAreaElement>("[data-placeholder]")) e.placeholder = text(e.dataset.placeholder!);
}

export function otherLanguage(): void {
  language = language === "zh" ? "en" : "zh";
  localStorage.setItem("lian.language", language);
}

/** A number as the reader writes it, short: 3.5M, 350万. */
export function short(n: number): string {
  return new Intl.NumberFormat(language === "zh" ? "zh-CN" : "en", { notation: "compact", maximumSignificantDigits: 3 }).format(n);
}
