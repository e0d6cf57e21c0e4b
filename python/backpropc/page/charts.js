// What changes over the recorded epochs: the loss, the hidden code, and the distributions by layer.

const small = () => 0.76 * parseFloat(getComputedStyle(document.documentElement).fontSize); // of a picture's letters

const epochOf = (i) => data.frames[i].epoch ?? 0;

function axis(values, log) {
  const known = values.filter((v) => v !== null && Number.isFinite(v) && (!log || v > 0)).map((v) => (log ? Math.log10(v) : v));
  let low = Math.min(...known), high = Math.max(...known);
  if (!known.length) [low, high] = [0, 1];
  if (high - low < 1e-9) [low, high] = [low - 0.5, high + 0.5];
  return { low, high, of: (v) => ((log ? Math.log10(Math.max(v, 1e-300)) : v) - low) / (high - low) };
}

function plot({ width, height, left = 4.4 * small(), bottom = 2 * small(), xs, ys, log, xLabel, name }) {
  const right = 10, top = 10, horizontal = axis(xs, false), vertical = axis(ys, log);
  const x = (v) => left + horizontal.of(v) * (width - left - right);
  const y = (v) => height - bottom - Math.max(-0.02, Math.min(1.02, vertical.of(v))) * (height - bottom - top);
  const drawn = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": name });
  const marks = log ? [...Array(Math.floor(vertical.high) - Math.ceil(vertical.low) + 1).keys()].map((i) => 10 ** (Math.ceil(vertical.low) + i)) : [vertical.low, (vertical.low + vertical.high) / 2, vertical.high];
  const every = Math.max(1, Math.ceil(marks.length / 6));
  for (const mark of (marks.length > 1 ? marks : log ? [10 ** vertical.low, 10 ** vertical.high] : marks).filter((_, i) => i % every === 0)) {
    drawn.append(svg("line", { x1: left, x2: width - right, y1: y(mark), y2: y(mark), stroke: "var(--line)" }));
    drawn.append(svg("text", { x: left - 6, y: y(mark) + 4, "text-anchor": "end", "font-size": small(), class: "soft" }, digits(mark, 2)));
  }
  for (const [v, anchor] of [[xs[0], "start"], [xs[xs.length - 1], "end"]]) {
    drawn.append(svg("text", { x: x(v), y: height - 6, "text-anchor": anchor, "font-size": small(), class: "soft" }, `${v}`));
  }
  if (xLabel) drawn.append(svg("text", { x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle", "font-size": small(), class: "soft" }, xLabel));
  return { drawn, x, y };
}

const path = (points, attributes) => svg("path", { d: points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join(""), fill: "none", ...attributes });

function drawLoss() {
  const losses = data.frames.map((f) => f.loss ?? NaN), known = losses.filter(Number.isFinite), epochs = data.frames.map((_, i) => epochOf(i));
  const width = Math.max(280, byId("loss").clientWidth);
  const spread = Math.min(...known) > 0 && Math.max(...known) > 20 * Math.min(...known);
  const { drawn, x, y } = plot({ width, height: 150, xs: epochs, ys: losses, log: spread, xLabel: "epoch", name: `Loss by epoch, from ${digits(losses[0])} to ${digits(losses[losses.length - 1])}` });
  const points = epochs.map((e, i) => [x(e), y(losses[i])]).filter(([, at]) => Number.isFinite(at));
  drawn.append(path(points, { stroke: "var(--accent)", "stroke-width": 2.5 }));
  if (Number.isFinite(losses[state.frame])) drawn.append(svg("circle", { cx: x(epochs[state.frame]), cy: y(losses[state.frame]), r: 6, fill: "var(--accent)", stroke: "var(--paper)", "stroke-width": 2 }));
  byId("loss").replaceChildren(drawn);
}

// --- the hidden code ---

const view = { turn: 0.35, tilt: 0.3 };
const codeOf = (f, s) => data.frames[f].passes[s].layers[data.code].a;

// Coordinates of a code in the picture: of two units as they are, of three turned and tilted.
function project(code, width, height) {
  const [u, v, w] = code.map((c, i) => (c - data.codeRange[0]) / (data.codeRange[1] - data.codeRange[0]) - 0.5);
  const size = Math.min(width * 0.5, height * 0.56);
  if (w === undefined) return [width / 2 + u * size * 1.3, height / 2 - v * size * 1.3, 0];
  const [c, s] = [Math.cos(view.turn), Math.sin(view.turn)], [ct, st] = [Math.cos(view.tilt), Math.sin(view.tilt)];
  const across = u * c - v * s, away = u * s + v * c;
  return [width / 2 + across * size, height / 2 - (w * ct - away * st) * size, away * ct + w * st];
}

function drawCode() {
  const box = byId("code"), width = Math.max(260, box.clientWidth), height = Math.min(460, width * 0.95), n = data.code2d ? 2 : 3;
  const [low, high] = data.codeRange, drawn = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", tabindex: "0", "aria-label": tellCode() });
  const corners = [...Array(2 ** n).keys()].map((i) => [...Array(n).keys()].map((d) => ((i >> (n - 1 - d)) & 1 ? high : low)));
  corners.forEach((a, i) => corners.slice(i + 1).forEach((b) => {
    if (a.filter((v, d) => v !== b[d]).length !== 1) return;
    const [p, q] = [project(a, width, height), project(b, width, height)];
    drawn.append(svg("line", { x1: p[0], y1: p[1], x2: q[0], y2: q[1], stroke: "var(--soft)", "stroke-width": 1.2, opacity: p[2] + q[2] > 0.5 ? 0.35 : 0.9 }));
  }));
  for (const corner of corners) {
    const [x, y] = project(corner, width, height), middle = [width / 2, height / 2];
    const out = Math.hypot(x - middle[0], y - middle[1]) || 1;
    drawn.append(svg("circle", { cx: x, cy: y, r: 3, fill: "var(--soft)" }));
    drawn.append(svg("text", { x: x + ((x - middle[0]) / out) * 20, y: y + ((y - middle[1]) / out) * 16 + 4, "text-anchor": "middle", "font-size": small(), class: "edge-label" }, corner.map((v) => digits(v, 2)).join("")));
  }
  data.samples.map((_, s) => [s, project(codeOf(state.frame, s), width, height)]).sort((a, b) => b[1][2] - a[1][2]).forEach(([s, [x, y]]) => {
    const trail = data.frames.slice(0, state.frame + 1).map((_, f) => project(codeOf(f, s), width, height));
    drawn.append(path(trail, { stroke: "var(--accent)", "stroke-width": 1.2, opacity: 0.35 }));
    const chosen = s === state.sample, point = svg("g", { class: "node" });
    point.append(svg("circle", { cx: x, cy: y, r: 12, fill: chosen ? "var(--accent)" : "var(--paper)", stroke: "var(--accent)", "stroke-width": 2 }));
    if (chosen) point.firstChild.style.fill = "var(--accent)";
    const label = svg("text", { x, y: y + 4, "text-anchor": "middle", "font-size": small() }, String(s + 1));
    if (chosen) label.style.fill = "var(--on-accent)";
    point.append(label);
    tipOf(point, () => `${data.samples[s].name}\n${codeOf(state.frame, s).map((v) => digits(v)).join("  ")}`);
    point.addEventListener("click", () => show({ sample: s }));
    drawn.append(point);
  });
  const focused = box.contains(document.activeElement);
  box.replaceChildren(drawn);
  if (focused) drawn.focus();
}

function tellCode() {
  const codes = data.samples.slice(0, 16).map((s, i) => `${s.name}: ${codeOf(state.frame, i).map((v) => digits(v, 2)).join(" ")}`);
  return `Activations of layer ${data.code + 1}. ${codes.join("; ")}`;
}

function turn(across, down) {
  view.turn += across;
  view.tilt = Math.max(-1.4, Math.min(1.4, view.tilt + down));
  drawCode();
}

// The drawing is made anew whenever it turns, so it is its frame that listens.
function letTurn(box) {
  let from = null;
  box.addEventListener("pointerdown", (event) => (from = [event.clientX, event.clientY]));
  addEventListener("pointermove", (event) => {
    if (!from) return;
    turn((event.clientX - from[0]) / 120, (event.clientY - from[1]) / 120);
    from = [event.clientX, event.clientY];
  });
  for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => (from = null));
  box.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, -0.15], ArrowDown: [0, 0.15] }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    turn(...by);
  });
}

// --- distributions, after Glorot and Bengio 2010 ---

const records = data.distributions;

function marker({ drawn, x }, height) {
  const epoch = epochOf(state.frame);
  drawn.append(svg("line", { x1: x(epoch), x2: x(epoch), y1: 6, y2: height - 2 * small(), stroke: "var(--ink)", "stroke-dasharray": "2 3" }));
}

// The percentiles of a letter in each layer by epoch: two bands, and the median.
function distributions(letter, name, width) {
  const epochs = records.map((r) => r.epoch), height = 110;
  return data.layers.map((layer, l) => {
    const values = records.map((r) => r.layers[l][letter]), last = values[values.length - 1];
    const chart = plot({ width, height, xs: epochs, ys: values.flat(), name: `${name} of layer ${l + 1} by epoch; at the end half of all values from ${digits(last[1], 2)} to ${digits(last[3], 2)}, the median ${digits(last[2])}` });
    const band = (low, high, opacity) => chart.drawn.append(path([...values.map((p, i) => [chart.x(epochs[i]), chart.y(p[high])]), ...values.map((p, i) => [chart.x(epochs[i]), chart.y(p[low])]).reverse()], { fill: "var(--plus)", opacity }));
    band(0, 4, 0.22);
    band(1, 3, 0.45);
    chart.drawn.append(path(values.map((p, i) => [chart.x(epochs[i]), chart.y(p[2])]), { stroke: "var(--ink)", "stroke-width": 2 }));
    marker(chart, height);
    return element("div", {}, element("p", { class: "note" }, `layer ${l + 1}, ${layer.activation}`), chart.drawn);
  });
}

function drawActivations() {
  const box = byId("activations");
  box.replaceChildren(...distributions("a", "Activations", Math.max(240, box.clientWidth)));
}

function drawGradients() {
  const box = byId("gradients"), width = Math.max(240, box.clientWidth), epochs = records.map((r) => r.epoch), height = 260;
  const sizes = data.layers.map((_, l) => records.map((r) => r.layers[l].delta)), chart = plot({ width, height, xs: epochs, ys: sizes.flat(), log: true, xLabel: "epoch", name: `Size of δ by epoch and layer; at the end ${sizes.map((s, l) => `layer ${l + 1}: ${digits(s[s.length - 1], 2)}`).join(", ")}` });
  sizes.forEach((values, l) => {
    const known = values.map((v, i) => [epochs[i], v]).filter(([, v]) => v > 0);
    if (!known.length) return;
    const share = depth > 1 ? l / (depth - 1) : 1, ink = `color-mix(in srgb, var(--plus) ${Math.round(100 * share)}%, var(--minus))`;
    chart.drawn.append(path(known.map(([e, v]) => [chart.x(e), chart.y(v)]), { "stroke-width": 2, stroke: ink, "stroke-dasharray": ["none", "7 3", "2 3", "9 3 2 3"][l % 4] }));
    const [e, v] = known[Math.floor((known.length - 1) * (0.15 + 0.7 * share))];
    chart.drawn.append(svg("text", { x: chart.x(e), y: chart.y(v) - 5, "text-anchor": "middle", "font-size": small(), class: "edge-label" }, `δ${above(l + 1)}`));
  });
  marker(chart, height);
  box.replaceChildren(chart.drawn, ...distributions("spread", "δ", width));
}

// --- tables ---

function table(caption, head, rows) {
  const line = (cells, tag) => element("tr", {}, ...cells.map((cell, i) => element(i === 0 || tag === "th" ? "th" : "td", i === 0 && tag !== "th" ? { scope: "row" } : {}, cell)));
  return element("table", {}, element("caption", {}, caption), line(head, "th"), ...rows.map((row) => line(row)));
}

function drawNumbers() {
  if (!byId("numbers-panel").open) return;
  const made = [];
  for (let l = 0; l < depth; l++) {
    const { z, a, dsigma, da, delta } = layerOf(l), at = above(l + 1), six = (v) => digits(v, 6);
    const rows = a.map((_, j) => [nameOf(l, j), six(frame().b[l][j]), six(z[j]), six(a[j]), dsigma && !data.layers[l].byRow ? six(dsigma[j]) : "", six(da[j]), six(delta[j])]);
    made.push(table(`Layer ${l + 1}, ${data.layers[l].activation}`, ["unit", `b${at}`, `z${at}`, `a${at}`, "σ′(z)", `∂E/∂a${at}`, `δ${at} = ∂E/∂b${at}`], rows));
    const columns = columnsOf(l).slice(0, 40), lines = rowsOf(l).slice(0, 40);
    made.push(table(`w${at}`, ["from", ...columns.map((j) => nameOf(l, j))], lines.map((k, row) => [nameOf(l - 1, k), ...columns.map((_, column) => six(weight(l, row, column)))])));
    made.push(table(`∂E/∂w${at}`, ["from", ...columns.map((j) => nameOf(l, j))], lines.map((k, row) => [nameOf(l - 1, k), ...columns.map((_, column) => six(slope(l, row, column)))])));
  }
  byId("numbers").replaceChildren(...made);
}
