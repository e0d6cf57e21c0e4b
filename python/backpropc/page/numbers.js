"use strict";
// The data, and how numbers, names and formulas are written. A formula is a list of strings and of objects: a symbol
// {s, up, down}, or a number {n, of}; `spoken` gives it as text and `typeset` as elements. All text goes through
// textContent, so whatever a name holds is text.

const data = JSON.parse(document.getElementById("data").textContent);
const depth = data.layers.length;

const byId = (id) => document.getElementById(id);

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function digits(value, count = 4) {
  if (value === null || value === undefined) return "not finite";
  const rounded = Number(Number(value).toPrecision(count)) + 0;
  const size = Math.abs(rounded);
  return (size !== 0 && (size < 1e-4 || size >= 1e6) ? rounded.toExponential() : String(rounded)).replaceAll("-", "−");
}

// As many digits as fit into a node.
function brief(value) {
  if (value === null || value === undefined) return "?";
  const size = Math.abs(value);
  if (size !== 0 && size < 0.005) return value.toExponential(0).replaceAll("-", "−");
  return (size < 10 ? value.toFixed(2) : size < 1000 ? value.toFixed(1) : value.toExponential(0)).replaceAll("-", "−");
}

const above = (n) => String(n).replace(/\d/g, (d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[d]);
const below = (n) => String(n).replace(/\d/g, (d) => "₀₁₂₃₄₅₆₇₈₉"[d]);

const symbol = (s, up, down) => ({ s, up, down });
const number = (n, of) => ({ n, of });

// The core's formulas, which are ASCII, in signs.
const signs = (formula) =>
  [["1/2", "½"], ["sum_j ", "Σⱼ "], ["a_j", "aⱼ"], ["t_j", "tⱼ"], ["^2", "²"], ["mean_j", "mean over j of"], [/-/g, "−"]].reduce((text, [from, to]) => text.replaceAll(from, to), formula);

// Units are counted from 1, as on paper.
const unit = (j) => String(j + 1);
const pair = (k, j) => (k < 9 && j < 9 ? unit(k) + unit(j) : `${unit(k)},${unit(j)}`);

const negative = (value) => digits(value).startsWith("−");

// A number that stands behind a sign.
const factor = (n, of) => (negative(n) ? ["(", number(n, of), ")"] : [number(n, of)]);

const MOST_TERMS = 12;

// Products and what is added to them, with the middle of a long sum left out.
function sum(terms) {
  const shown = [];
  terms.forEach((term, i) => {
    if (terms.length > MOST_TERMS && i >= MOST_TERMS / 2 && i < terms.length - 2) {
      if (i === MOST_TERMS / 2) shown.push(" + …");
      return;
    }
    const [first, ...others] = term;
    const sign = negative(first.n);
    if (shown.length) shown.push(sign ? " − " : " + ");
    else if (sign) shown.push("−");
    shown.push(number(first.n === null ? null : Math.abs(first.n), first.of));
    for (const other of others) shown.push("·", ...factor(other.n, other.of));
  });
  return shown;
}

function spoken(parts) {
  return parts
    .map((part) => {
      if (typeof part === "string") return part;
      if ("s" in part) {
        const down = part.down ?? "";
        return part.s + above(part.up ?? "") + (/,/.test(down) ? `[${down}]` : below(down));
      }
      return digits(part.n);
    })
    .join("");
}

function typeset(parts, kind = "line") {
  const line = element("div", { class: kind, "aria-label": spoken(parts), role: "math" });
  for (const part of parts) {
    if (typeof part === "string") line.append(part);
    else if ("s" in part) {
      line.append(/^[a-z]$/i.test(part.s) ? element("i", {}, part.s) : part.s);
      if (part.up !== undefined || part.down !== undefined) {
        const index = [element("span", {}, part.up ?? ""), element("span", {}, part.down ?? "")];
        line.append(element("span", { class: "index" }, ...index));
      }
    } else line.append(element("span", { class: `number ${part.of ? `of-${part.of}` : ""}` }, digits(part.n)));
  }
  return line;
}

// --- what is looked at ---

const state = { frame: data.frames.length - 1, sample: 0, step: 0, unit: 0, playing: false };

const frame = () => data.frames[state.frame];
const pass = () => frame().passes[state.sample];
const sample = () => data.samples[state.sample];
const layerOf = (l) => pass().layers[l];
const inputOf = (l) => (l === 0 ? sample().x : layerOf(l - 1).a);
const isSmall = data.view === "graph";

function nameOf(l, j) {
  if (l < 0) return data.inputs ? data.inputs[j] : `x${below(j + 1)}`;
  if (l === depth - 1 && data.outputs) return data.outputs[j];
  return `unit ${j + 1} of layer ${l + 1}`;
}

// w and ∂E/∂w of an edge, by its place in the matrix that is shown, of which a large layer has only some rows.
const weight = (l, row, column) => frame().w[l][row][column];
const rowsOf = (l) => data.layers[l].rows;
const columnsOf = (l) => data.layers[l].columns;
const slope = (l, row, column) => product(inputOf(l)[rowsOf(l)[row]], layerOf(l).delta[columnsOf(l)[column]]);
const product = (a, b) => (a === null || b === null ? null : a * b);
