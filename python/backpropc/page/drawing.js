// The network: as a graph where it is small, as heat maps of its layers where it is large.

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// --- what a pointer rests on ---

function tipOf(made, text) {
  const tip = byId("tip");
  const place = (event) => {
    tip.textContent = text(event);
    tip.hidden = !tip.textContent;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - box.width - 4))}px`;
    tip.style.top = `${event.clientY + 18 + box.height > innerHeight ? event.clientY - box.height - 10 : event.clientY + 18}px`;
  };
  made.addEventListener("pointermove", place);
  made.addEventListener("pointerleave", () => (tip.hidden = true));
}

function tellNode(l, j) {
  if (l < 0) return `${nameOf(l, j)}\na⁰${below(j + 1)} = ${digits(sample().x[j], 6)}`;
  const { z, a, dsigma, da, delta } = layerOf(l), at = above(l + 1) + below(j + 1);
  const lines = [nameOf(l, j), `b${at} = ${digits(frame().b[l][j], 6)}`, `z${at} = ${digits(z[j], 6)}`, `a${at} = ${digits(a[j], 6)}`];
  if (dsigma && !data.layers[l].byRow) lines.push(`σ′(z${at}) = ${digits(dsigma[j], 6)}`);
  lines.push(`∂E/∂a${at} = ${digits(da[j], 6)}`, `δ${at} = ∂E/∂b${at} = ${digits(delta[j], 6)}`);
  return lines.join("\n");
}

function tellEdge(l, row, column) {
  const k = rowsOf(l)[row], j = columnsOf(l)[column];
  const at = `${above(l + 1)}[${unit(k)},${unit(j)}]`;
  return [`${nameOf(l - 1, k)} → ${nameOf(l, j)}`, `w${at} = ${digits(weight(l, row, column), 6)}`, `∂E/∂w${at} = ${digits(slope(l, row, column), 6)}`].join("\n");
}

// --- a graph ---

const isEdgeStep = (l, kind) => (kind === "z" || kind === "dw" || kind === "update" ? current().l === l : kind === "da" && current().l === l - 1);

function nodeValue(l, j) {
  if (l < 0) return sample().x[j];
  if (reached("a", l)) return layerOf(l).a[j];
  return reached("z", l) ? layerOf(l).z[j] : undefined;
}

// Below a node: what has come back to it.
function nodeError(l, j) {
  if (l < 0) return "";
  if (reached("delta", l)) return `δ ${brief(layerOf(l).delta[j])}`;
  return reached(l === depth - 1 ? "gradient" : "da", l) ? `∂E/∂a ${brief(layerOf(l).da[j])}` : "";
}

function isLit(l, kind) {
  if (l === current().l) return kind !== "update" || l >= 0;
  return (kind === "z" || kind === "dw") && l === current().l - 1 ? true : kind === "da" && l === current().l + 1;
}

function drawGraph() {
  const box = byId("network"), width = Math.max(280, box.clientWidth), sizes = data.sizes;
  const most = Math.max(...sizes), names = data.inputs || data.outputs;
  const longest = names ? Math.max(...[...(data.inputs ?? []), ...(data.outputs ?? [])].map((name) => name.length)) : 0;
  const margin = names ? Math.min(width * 0.21, 50 + 8 * longest) : 44;
  const gap = (width - 2 * margin) / depth;
  const wanted = most <= 4 ? 110 : width > 700 ? 84 : width > 420 ? 58 : 50;
  const pitch = Math.max(44, Math.min(wanted, (width > 700 ? 640 : 560) / most));
  const radius = Math.max(14, Math.min(30, pitch * 0.36, gap * 0.24));
  const height = pitch * Math.max(most, 2) + 50, text = Math.max(9.5, radius * 0.52);
  const x = (l) => margin + gap * (l + 1);
  const y = (l, j) => 34 + (height - 50) / 2 + (j - (sizes[l + 1] - 1) / 2) * pitch;
  const edges = svg("g"), labels = svg("g"), nodes = svg("g"), kind = current().kind;
  for (let l = 0; l < depth; l++) drawEdges(l, { edges, labels, x, y, radius, text, kind });
  for (let l = -1; l < depth; l++) {
    const title = l < 0 ? "x = a⁰" : `a${above(l + 1)} · ${data.layers[l].activation}`;
    nodes.append(svg("text", { x: x(l), y: 16, "text-anchor": "middle", "font-size": text + 1.5, class: "soft" }, title));
    for (let j = 0; j < sizes[l + 1]; j++) nodes.append(drawNode(l, j, { x: x(l), y: y(l, j), radius, text, kind, names, margin }));
  }
  const drawn = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${data.network}. All its numbers are in the tables below.` }, edges, labels, nodes);
  box.replaceChildren(drawn);
}

function drawEdges(l, { edges, labels, x, y, radius, text, kind }) {
  const [from, to] = [data.sizes[l], data.sizes[l + 1]];
  const shown = (kind === "dw" && current().l === l) ? slope : weight;
  let largest = 0;
  for (let k = 0; k < from; k++) for (let j = 0; j < to; j++) largest = Math.max(largest, Math.abs(shown(l, k, j) ?? 0));
  const active = isEdgeStep(l, kind), few = from * to <= 12;
  for (let k = 0; k < from; k++) {
    for (let j = 0; j < to; j++) {
      const value = shown(l, k, j), own = kind === "da" ? k === state.unit : j === state.unit;
      const ends = { x1: x(l - 1) + radius, y1: y(l - 1, k), x2: x(l) - radius, y2: y(l, j) };
      const thick = 0.6 + 4.4 * (largest ? Math.abs(value ?? 0) / largest : 0);
      const idle = active ? !own : true;
      const sign = (value ?? 0) < 0 ? "minus" : "plus";
      edges.append(svg("line", { ...ends, class: `edge ${sign}${idle ? " idle" : ""}`, "stroke-width": thick.toFixed(2), "data-edge": `${l},${k},${j}` }));
      const grab = svg("line", { ...ends, class: "edge grab" });
      tipOf(grab, () => tellEdge(l, k, j));
      edges.append(grab);
      if (few || (active && own)) {
        const at = kind === "da" && active && !few ? 0.72 : 0.26; // near the end where edges lie apart
        const place = { x: ends.x1 + (ends.x2 - ends.x1) * at, y: ends.y1 + (ends.y2 - ends.y1) * at + 4, "text-anchor": "middle", "font-size": text };
        labels.append(svg("text", { ...place, class: "edge-label" }, brief(value)));
      }
    }
  }
}

function drawNode(l, j, { x, y, radius, text, kind, names, margin }) {
  const focus = l === current().l && j === state.unit, value = nodeValue(l, j);
  const circle = svg("circle", { cx: x, cy: y, r: radius });
  if (value !== undefined) {
    const share = Math.min(1, Math.abs(value ?? 0)) * 55;
    circle.style.fill = `color-mix(in srgb, var(${(value ?? 0) < 0 ? "--minus" : "--plus"}) ${share.toFixed(0)}%, var(--paper))`;
  }
  const node = svg("g", { class: `node${isLit(l, kind) ? " lit" : ""}${focus ? " focus" : ""}`, "data-node": `${l},${j}` }, circle);
  const middle = { "text-anchor": "middle", "font-size": text * 1.12 };
  if (value !== undefined) node.append(svg("text", { x, y: y + text * 0.38, ...middle }, brief(value)));
  const error = nodeError(l, j);
  if (error) node.append(svg("text", { x, y: y + radius + text * 1.02, class: "edge-label", ...middle, "font-size": text }, error));
  if (names && (l < 0 || l === depth - 1)) {
    const name = nameOf(l, j), room = Math.max(3, Math.floor((margin - radius - 8) / (text * 0.56)));
    const shown = name.length > room ? `${name.slice(0, room - 1)}…` : name, left = l < 0;
    if ((left && data.inputs) || (!left && data.outputs)) {
      node.append(svg("text", { x: left ? x - radius - 6 : x + radius + 6, y: y + text * 0.35, "text-anchor": left ? "end" : "start", "font-size": text, class: "soft" }, shown));
    }
  }
  tipOf(node, () => tellNode(l, j));
  if (l >= 0) node.addEventListener("click", () => visit(l, j));
  return node;
}

// Focus a unit; where the step belongs to another layer, the one like it of the unit's own layer.
function visit(l, j) {
  if (l === current().l) return show({ unit: j });
  const same = steps.findIndex((step) => step.l === l && step.part === current().part);
  show({ step: same, unit: j });
}

// --- heat maps ---

function drawMaps() {
  const maps = element("div", { class: "maps" });
  maps.append(vectorMap(-1));
  for (let l = 0; l < depth; l++) maps.append(matrixMap(l), vectorMap(l));
  byId("network").replaceChildren(maps);
}

function heatMap({ title, columns, values, tell, lit, largest, name }) {
  const rows = Math.ceil(values.length / columns), canvas = element("canvas", { width: columns, height: rows, tabindex: "0", role: "img" });
  const room = Math.max(150, Math.min(360, byId("network").clientWidth * 0.26));
  const side = Math.max(2, Math.min(room / 14, Math.floor(room / Math.max(columns, rows))));
  canvas.style.width = `${columns * side}px`;
  canvas.style.height = `${rows * side}px`;
  paint(canvas, values, largest);
  let cursor = 0;
  const say = (i) => canvas.setAttribute("aria-label", `${title}, ${values.length} numbers; ${tell(i).replace(/\n/g, "; ")}. Arrow keys move.`);
  say(0);
  tipOf(canvas, (event) => {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * columns), row = Math.floor(((event.clientY - box.top) / box.height) * rows);
    const i = row * columns + column;
    return column >= 0 && column < columns && i >= 0 && i < values.length ? tell(i) : "";
  });
  canvas.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    cursor = Math.max(0, Math.min(values.length - 1, cursor + by));
    say(cursor);
    byId("live").textContent = tell(cursor);
  });
  return element("div", { class: `map${lit ? " lit" : ""}`, "data-map": name }, canvas, title);
}

function paint(canvas, values, scale) {
  const context = canvas.getContext("2d"), image = context.createImageData(canvas.width, canvas.height);
  const largest = scale ?? Math.max(1e-30, ...values.map((v) => Math.abs(v ?? 0)));
  const [plus, minus, none] = ["--plus", "--minus", "--paper"].map((name) => channels(colour(name)));
  values.forEach((value, i) => {
    const share = Math.sqrt(Math.min(1, Math.abs(value ?? 0) / largest)), full = (value ?? 0) < 0 ? minus : plus;
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = none[c] + (full[c] - none[c]) * share;
    image.data[4 * i + 3] = 255;
  });
  context.putImageData(image, 0, 0);
}

const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

function vectorMap(l) {
  const size = data.sizes[l + 1], columns = size <= 12 ? 1 : Math.ceil(Math.sqrt(size)), kind = current().kind;
  const back = l >= 0 && reached("delta", l), letter = back ? "δ" : "a";
  const values = back ? layerOf(l).delta : l < 0 || reached("z", l) ? Array.from({ length: size }, (_, j) => nodeValue(l, j)) : new Array(size).fill(0);
  const title = l < 0 ? "x" : `${letter}${above(l + 1)} · ${data.layers[l].activation}`;
  return heatMap({ title, columns, values, tell: (j) => tellNode(l, j), lit: isLit(l, kind), name: `${letter}${l + 1}` });
}

function matrixMap(l) {
  const slopes = reached("dw", l), shown = slopes ? slope : weight, values = [];
  for (let row = 0; row < rowsOf(l).length; row++) for (let column = 0; column < columnsOf(l).length; column++) values.push(shown(l, row, column));
  const columns = columnsOf(l).length, [m, n] = [data.sizes[l], data.sizes[l + 1]];
  const part = rowsOf(l).length < m || columns < n ? `, ${rowsOf(l).length}×${columns} of ${m}×${n}` : "";
  const title = `${slopes ? "∂E/∂w" : "w"}${above(l + 1)}${part}`;
  return heatMap({ title, columns, values, tell: (i) => tellEdge(l, Math.floor(i / columns), i % columns), lit: isEdgeStep(l, current().kind), name: `w${l + 1}` });
}

function drawNetwork() {
  isSmall ? drawGraph() : drawMaps();
}
