// One plot of curves as SVG: round ticks, linear or logarithmic axes, a band from the least to the most of the points that a mean stands for, what
// the curves are at the pointer, and a legend that hides and shows them.

export interface Curve {
  label: string;
  colour: number; // of the palette
  part: number; // of one run's curves: solid, dashed, dotted
  x: number[];
  y: number[];
  low?: number[];
  high?: number[];
  dots?: boolean; // few points: each is shown
}

export interface Axes {
  logX: boolean;
  logY: boolean;
  writeX(x: number): string;
  writeY(y: number): string;
  marks: number[]; // places on x where something happened
}

const ns = "http://www.w3.org/2000/svg";
const height = 250;
const left = 56;
const right = 12;
const top = 10;
const bottom = 24;

function make(name: string, attributes: Record<string, string | number>, parent?: Element): SVGElement {
  const e = document.createElementNS(ns, name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, String(value));
  parent?.append(e);
  return e;
}

/** Round numbers between two; powers of ten and their parts on a logarithmic axis. */
export function ticks(low: number, high: number, count: number, log: boolean): number[] {
  if (!(high > low)) return [low];
  const out: number[] = [];
  if (log && high / low > 30) {
    const parts = high / low > 2000 ? [1] : [1, 3];
    for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high); e++) {
      for (const part of parts) {
        const t = part * 10 ** e;
        if (t >= low * 0.999 && t <= high * 1.001) out.push(t);
      }
    }
    while (out.length > 9) for (let i = out.length - 2; i > 0; i -= 2) out.splice(i, 1);
    return out;
  }
  const raw = (high - low) / count;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = unit * ([1, 2, 2.5, 5, 10].find((m) => raw <= unit * m) ?? 10);
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) out.push(Number((i * step).toPrecision(12)));
  return out;
}

/** An exponential mean, corrected for its beginning. */
export function smoothed(y: number[], share: number): number[] {
  if (share <= 0) return y;
  let sum = 0;
  let weight = 0;
  return y.map((v) => {
    sum = share * sum + (1 - share) * v;
    weight = share * weight + (1 - share);
    return sum / weight;
  });
}

const hidden = new Set<string>();

/** Draws a plot into a figure, over what is there. */
export function draw(figure: HTMLElement, title: string, unit: string, curves: Curve[], axes: Axes, redraw: () => void): void {
  const width = Math.max(figure.clientWidth - 24, 260);
  figure.replaceChildren();
  const caption = document.createElement("figcaption");
  caption.textContent = title;
  if (unit) {
    const small = document.createElement("small");
    small.textContent = unit;
    caption.append(small);
  }
  figure.append(caption);
  const key = (c: Curve) => title + "/" + c.label;
  const shown = curves.filter((c) => !hidden.has(key(c)));
  const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": title });
  figure.append(svg);

  let [x0, x1, y0, y1] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const c of shown) {
    const begin = c.y.length > 40 && !axes.logX ? Math.floor(c.y.length / 25) : 0; // the first steep fall would press the rest flat
    c.x.forEach((x, i) => {
      if (axes.logX && x <= 0) return;
      [x0, x1] = [Math.min(x0, x), Math.max(x1, x)];
      const y = c.y[i]!;
      if (i < begin || (axes.logY && y <= 0)) return;
      [y0, y1] = [Math.min(y0, y), Math.max(y1, y)];
    });
  }
  if (x0 === Infinity) [x0, x1] = [axes.logX ? 1 : 0, axes.logX ? 10 : 1];
  if (y0 === Infinity) [y0, y1] = [axes.logY ? 1 : 0, axes.logY ? 10 : 1];
  if (!axes.logX) x0 = Math.min(x0, x1 > 0 && x0 < x1 / 4 ? 0 : x0);
  if (x0 === x1) x1 = x0 + (x0 || 1);
  if (axes.logY) [y0, y1] = y0 === y1 ? [y0 / 2, y1 * 2] : [y0 / (y1 / y0) ** 0.05, y1 * (y1 / y0) ** 0.05];
  else {
    const room = (y1 - y0) * 0.06 || Math.abs(y1) * 0.1 || 1;
    [y0, y1] = [y0 >= 0 && y0 - room < 0 ? 0 : y0 - room, y1 + room];
  }
  const place = (v: number, a: number, b: number, log: boolean) => (log ? Math.log(v / a) / Math.log(b / a) : (v - a) / (b - a));
  const px = (x: number) => left + (width - left - right) * place(x, x0, x1, axes.logX);
  const py = (y: number) => Math.max(-1e4, Math.min(1e4, height - bottom - (height - top - bottom) * place(y, y0, y1, axes.logY)));
  const clip = "clip" + Math.random().toString(36).slice(2);
  make("rect", { x: left, y: top - 2, width: width - left - right + 4, height: height - top - bottom + 4 }, make("clipPath", { id: clip }, make("defs", {}, svg)));
  for (const t of ticks(y0, y1, 5, axes.logY)) {
    make("line", { class: "grid", x1: left, x2: width - right, y1: py(t), y2: py(t) }, svg);
    make("text", { x: left - 6, y: py(t) + 4, "text-anchor": "end" }, svg).textContent = axes.writeY(t);
  }
  for (const t of ticks(x0, x1, Math.max(2, Math.floor(width / 110)), axes.logX)) {
    make("text", { x: px(t), y: height - 6, "text-anchor": px(t) > width - 30 ? "end" : "middle" }, svg).textContent = axes.writeX(t);
  }
  const plot = make("g", { "clip-path": `url(#${clip})` }, svg);
  for (const m of axes.marks) if (m >= x0 && m <= x1) make("line", { class: "mark", x1: px(m), x2: px(m), y1: height - bottom - 7, y2: height - bottom }, plot);
  const ok = (c: Curve, i: number) => !(axes.logX && c.x[i]! <= 0) && !(axes.logY && c.y[i]! <= 0);
  const path = (c: Curve, y: number[]) => c.x.map((x, i) => (ok(c, i) ? `${px(x).toFixed(1)} ${py(y[i]!).toFixed(1)}` : "")).filter(Boolean);
  for (const c of shown) {
    if (c.low && c.high && !axes.logY) {
      const points = [...path(c, c.high), ...path(c, c.low).reverse()];
      if (points.length) make("path", { class: "band", d: "M" + points.join("L") + "Z", fill: `var(--c${c.colour})` }, plot);
    }
  }
  for (const c of shown) {
    const points = path(c, c.y);
    if (points.length) make("path", { class: `line part${c.part}`, d: "M" + points.join("L"), stroke: `var(--c${c.colour})` }, plot);
    if (c.dots || points.length === 1) c.x.forEach((x, i) => ok(c, i) && make("circle", { cx: px(x), cy: py(c.y[i]!), r: 2.6, fill: `var(--c${c.colour})` }, plot));
  }
  if (curves.length > 1) {
    const legend = document.createElement("div");
    legend.className = "legend";
    for (const c of curves) {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-pressed", String(!hidden.has(key(c))));
      const line = document.createElement("i");
      line.className = `part${c.part}`;
      line.style.borderColor = `var(--c${c.colour})`;
      button.append(line, c.label);
      button.onclick = () => {
        if (!hidden.delete(key(c))) hidden.add(key(c));
        redraw();
      };
      legend.append(button);
    }
    figure.append(legend);
  }
  hover(figure, svg, shown, axes, width, px, py);
}

/** Shows what the curves are where the pointer is. */
function hover(figure: HTMLElement, svg: SVGElement, curves: Curve[], axes: Axes, width: number, px: (x: number) => number, py: (y: number) => number): void {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  figure.append(tip);
  const layer = make("g", {}, svg);
  svg.addEventListener("pointerleave", () => {
    tip.hidden = true;
    layer.replaceChildren();
  });
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const at = ((event as PointerEvent).clientX - box.left) * (width / box.width);
    const near = curves
      .filter((c) => c.x.length)
      .map((c) => {
        let [a, b] = [0, c.x.length - 1];
        while (b - a > 1) {
          const middle = (a + b) >> 1;
          if (px(c.x[middle]!) < at) a = middle;
          else b = middle;
        }
        return { c, i: Math.abs(px(c.x[a]!) - at) < Math.abs(px(c.x[b]!) - at) ? a : b };
      });
    layer.replaceChildren();
    if (!near.length) return;
    const first = near.reduce((p, q) => (Math.abs(px(q.c.x[q.i]!) - at) < Math.abs(px(p.c.x[p.i]!) - at) ? q : p));
    const x = px(first.c.x[first.i]!);
    make("line", { class: "cross", x1: x, x2: x, y1: top, y2: height - bottom }, layer);
    tip.replaceChildren(axes.writeX(first.c.x[first.i]!));
    for (const { c, i } of near) {
      if (Math.abs(px(c.x[i]!) - x) > 25) continue;
      make("circle", { cx: px(c.x[i]!), cy: py(c.y[i]!), r: 3.2, fill: `var(--c${c.colour})` }, layer);
      const row = document.createElement("div");
      const value = document.createElement("b");
      value.textContent = axes.writeY(c.y[i]!);
      row.style.color = `var(--c${c.colour})`;
      row.append(c.label, value);
      tip.append(row);
    }
    tip.hidden = false;
    const place = x * (box.width / width);
    tip.style.top = "40px";
    tip.style.left = place > box.width / 2 ? "" : `${place + 26}px`;
    tip.style.right = place > box.width / 2 ? `${box.width - place + 26}px` : "";
  });
}
