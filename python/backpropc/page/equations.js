// The steps of one update in the lecture's order, and each one's equation with the numbers put in.

const steps = [];
for (let l = 0; l < depth; l++) steps.push({ kind: "z", l, part: "forward" }, { kind: "a", l, part: "forward" });
steps.push({ kind: "E", l: depth - 1, part: "forward" });
for (let l = depth - 1; l >= 0; l--) {
  steps.push({ kind: l === depth - 1 ? "gradient" : "da", l, part: "backward" }, { kind: "delta", l, part: "backward" });
}
for (let l = 0; l < depth; l++) steps.push({ kind: "db", l, part: "gradient" }, { kind: "dw", l, part: "gradient" });
for (let l = 0; l < depth; l++) steps.push({ kind: "update", l, part: "update" });

const PARTS = { forward: "Forward", backward: "Backward", gradient: "The gradient", update: "The update" };
const current = () => steps[state.step];
const reached = (kind, l) => state.step >= steps.findIndex((step) => step.kind === kind && step.l === l);

const partial = (letter, l, down) => [`∂E/∂`, symbol(letter, l + 1, down)];

// The terms of z of one unit, where all of its weights are here.
function termsInto(l, j) {
  const column = columnsOf(l).indexOf(j);
  if (column < 0 || rowsOf(l).length < inputOf(l).length) return null;
  return inputOf(l).map((x, k) => [number(x, "a"), number(weight(l, k, column), "w")]);
}

// ∂E/∂a of one output, from a and t as symbols or as numbers.
const SLOPES = {
  half_squared_error: (a, t) => [...a, " − ", ...t],
  softmax_cross_entropy: (a, t) => ["−", ...t, "/", ...a],
  binary_cross_entropy: (a, t) => ["(1 − ", ...t, ")/(1 − ", ...a, ") − ", ...t, "/", ...a],
};

const EQUATIONS = {
  z: {
    badge: "feedforward",
    name: (l) => `The weighted input of layer ${l + 1}`,
    says: (l) => `Each unit adds what it reads${l === 0 ? ", the input x = a⁰," : ""} times its weights, and its bias.`,
    formula: (l) => [symbol("z", l + 1, "j"), " = Σ", symbol("", undefined, "k"), " ", symbol("a", l, "k"), symbol("w", l + 1, "kj"), " + ", symbol("b", l + 1, "j")],
    worked(l, j) {
      const left = [symbol("z", l + 1, unit(j)), " = "], bias = number(frame().b[l][j], "d"), terms = termsInto(l, j);
      const right = terms ? sum([...terms, [bias]]) : [`${inputOf(l).length} products + `, ...factor(bias.n, "d")];
      return [[...left, ...right, " = ", number(layerOf(l).z[j], "result")]];
    },
    values: (l) => layerOf(l).z,
  },
  a: {
    badge: "feedforward",
    name: (l) => `The activation of layer ${l + 1}`,
    says: (l) => `σ is ${data.layers[l].activation}: ${signs(data.layers[l].formula)}.`,
    formula: (l) => [symbol("a", l + 1, "j"), " = σ(", symbol("z", l + 1, "j"), ")"],
    worked: (l, j) => [[symbol("a", l + 1, unit(j)), " = σ(", number(layerOf(l).z[j]), ") = ", number(layerOf(l).a[j], "result")]],
    values: (l) => layerOf(l).a,
  },
  E: {
    badge: "E",
    name: () => "The error",
    says: () => `${data.loss.name}: ${signs(data.loss.formula)}.`,
    formula: (l) => ["E(", symbol("a", l + 1), ", ", "t", ")"],
    worked(l, j) {
      const outputs = layerOf(l).a, a = outputs[j], t = sample().t[j];
      const result = ["E", " = ", number(pass().E, "result")];
      if (data.loss.name === "half_squared_error" && outputs.length <= MOST_TERMS) {
        const squares = outputs.flatMap((each, i) => [i ? " + (" : "(", number(each, "a"), " − ", ...factor(sample().t[i]), ")²"]);
        return [["E = ½ · ", ...(outputs.length > 1 ? ["[", ...squares, "]"] : squares), " = ", number(pass().E, "result")]];
      }
      const own = [symbol("a", l + 1, unit(j)), " = ", number(a, "a"), ", ", symbol("t", undefined, unit(j)), " = ", number(t)];
      return [own, [...result, ...(outputs.length > 1 ? [" of all outputs"] : [])]];
    },
    values: (l) => layerOf(l).a,
  },
  gradient: {
    badge: "∇ₐE",
    name: () => "The derivative of the error with respect to the last activations",
    says: () => "This comes first: how E changes with each output.",
    formula(l) {
      const slope = SLOPES[data.loss.name];
      return [...partial("a", l, "j"), ...(slope ? [" = ", ...slope([symbol("a", l + 1, "j")], [symbol("t", undefined, "j")])] : [])];
    },
    worked(l, j) {
      const a = layerOf(l).a[j], t = sample().t[j], da = layerOf(l).da[j], slope = da === null ? undefined : SLOPES[data.loss.name];
      const way = slope ? [...slope([number(a, "a")], factor(t)), " = "] : [];
      return [[...partial("a", l, unit(j)), " = ", ...way, number(da, "result")]];
    },
    values: (l) => layerOf(l).da,
  },
  da: {
    badge: "chain rule",
    name: (l) => `Back through the weights of layer ${l + 2}`,
    says: () => "The activation is read by all units of the next layer: what comes back along every way is added.",
    formula: (l) => [...partial("a", l, "k"), " = Σ", symbol("", undefined, "j"), " ", symbol("δ", l + 2, "j"), symbol("w", l + 2, "kj")],
    worked(l, k) {
      const row = rowsOf(l + 1).indexOf(k), deltas = layerOf(l + 1).delta;
      const whole = row >= 0 && columnsOf(l + 1).length === deltas.length;
      const right = whole ? sum(deltas.map((d, j) => [number(d, "d"), number(weight(l + 1, row, j), "w")])) : [`${deltas.length} products`];
      return [[...partial("a", l, unit(k)), " = ", ...right, " = ", number(layerOf(l).da[k], "result")]];
    },
    values: (l) => layerOf(l).da,
  },
  delta: {
    badge: (l) => (l === depth - 1 ? "BP1" : "BP2"),
    name: (l) => `Back through the activation of layer ${l + 1}`,
    says: (l) => (data.layers[l].byRow ? "Each output depends on all of z: the products with ∂aₖ/∂zⱼ are added." : "What has come back is multiplied by the derivative of the function it passes, σ′(z). A saturated unit has σ′ ≈ 0, and lets little through."),
    formula(l) {
      if (data.layers[l].byRow) return [symbol("δ", l + 1, "j"), " = Σ", symbol("", undefined, "k"), " ", ...partial("a", l, "k"), " · ∂", symbol("a", l + 1, "k"), "/∂", symbol("z", l + 1, "j")];
      return [symbol("δ", l + 1, "j"), " = ", ...partial("a", l, "j"), " · σ′(", symbol("z", l + 1, "j"), ")"];
    },
    worked(l, j) {
      const { z, a, da, dsigma, delta } = layerOf(l), left = [symbol("δ", l + 1, unit(j)), " = "];
      const result = [" = ", number(delta[j], "result")], lines = [];
      if (data.layers[l].byRow) {
        if (dsigma && da.every((d) => d !== null)) lines.push([...left, ...sum(da.map((d, k) => [number(d, "d"), number(dsigma[k][j])])), ...result]);
      } else {
        const rule = { logistic: () => [number(a[j], "a"), "·(1 − ", number(a[j], "a"), ") = "], tanh: () => ["1 − ", ...factor(a[j], "a"), "² = "] }[data.layers[l].activation];
        lines.push(["σ′(", symbol("z", l + 1, unit(j)), ") = σ′(", number(z[j]), ") = ", ...(rule ? rule() : []), number(dsigma[j])]);
        if (da[j] !== null) lines.push([...left, number(da[j], "d"), "·", ...factor(dsigma[j]), ...result]);
      }
      if (data.shortWay && l === depth - 1) {
        lines.push([...left, symbol("a", l + 1, unit(j)), " − ", symbol("t", undefined, unit(j)), " = ", number(a[j], "a"), " − ", number(sample().t[j]), ...result]);
      }
      return lines.length ? lines : [[symbol("δ", l + 1, unit(j)), ...result]];
    },
    values: (l) => layerOf(l).delta,
  },
  db: {
    badge: "BP3",
    name: (l) => `The biases of layer ${l + 1}`,
    says: () => "A bias is added to z as it is, so its derivative is δ.",
    formula: (l) => [...partial("b", l, "j"), " = ", symbol("δ", l + 1, "j")],
    worked: (l, j) => [[...partial("b", l, unit(j)), " = ", number(layerOf(l).delta[j], "result")]],
    values: (l) => layerOf(l).delta,
  },
  dw: {
    badge: "BP4",
    name: (l) => `The weights of layer ${l + 1}`,
    says: () => "What went in times the error of the unit: where the activation is low, the weight hardly learns.",
    formula: (l) => [...partial("w", l, "kj"), " = ", symbol("a", l, "k"), " ", symbol("δ", l + 1, "j")],
    worked(l, j) {
      const x = inputOf(l), delta = layerOf(l).delta[j], shown = x.length > MOST_TERMS ? MOST_TERMS / 2 : x.length;
      const lines = x.slice(0, shown).map((a, k) => [...partial("w", l, pair(k, j)), " = ", number(a, "a"), "·", ...factor(delta, "d"), " = ", number(product(a, delta), "result")]);
      return shown < x.length ? [...lines, [`… and ${x.length - shown} more`]] : lines;
    },
    values: (l) => layerOf(l).delta,
  },
  update: {
    badge: "update",
    name: (l) => `The update of layer ${l + 1}`,
    says: (l) => `A step of size μ = ${digits(data.learningRate)} against the gradient.` + (l === depth - 1 && pass().after !== null ? ` With all layers updated, E goes from ${digits(pass().E)} to ${digits(pass().after)}.` : ""),
    formula: (l) => [symbol("w", l + 1, "kj"), " ← ", symbol("w", l + 1, "kj"), " − μ ", ...partial("w", l, "kj")],
    worked(l, j) {
      const rate = number(data.learningRate), column = columnsOf(l).indexOf(j), lines = [];
      const step = (letter, down, before, gradient) => [symbol(letter, l + 1, down), " ← ", number(before, "w"), " − ", rate, "·", ...factor(gradient, "d"), " = ", number(gradient === null ? null : before - data.learningRate * gradient, "result")];
      if (column >= 0) rowsOf(l).slice(0, MOST_TERMS).forEach((k, row) => lines.push(step("w", pair(k, j), weight(l, row, column), slope(l, row, column))));
      if (inputOf(l).length > lines.length) lines.push([`… and ${inputOf(l).length - lines.length} more`]);
      return [...lines, step("b", unit(j), frame().b[l][j], layerOf(l).delta[j])];
    },
    values: (l) => frame().b[l],
  },
};

function badgeOf(step) {
  const badge = EQUATIONS[step.kind].badge;
  return typeof badge === "string" ? badge : badge(step.l);
}

const unitCount = () => layerOf(current().l).z.length;

function showEquation() {
  const step = current(), equation = EQUATIONS[step.kind], j = state.unit;
  byId("phase").textContent = PARTS[step.part];
  byId("phase").dataset.part = step.part;
  byId("counter").textContent = `step ${state.step + 1} of ${steps.length}`;
  byId("step-name").textContent = equation.name(step.l);
  byId("badge").textContent = badgeOf(step);
  byId("explanation").textContent = equation.says(step.l);
  byId("formula").replaceChildren(typeset(equation.formula(step.l)));
  const lines = equation.worked(step.l, j);
  byId("worked").replaceChildren(...lines.map((line) => typeset(line)));
  byId("live").textContent = `${equation.name(step.l)}. ${spoken(lines[lines.length - 1])}`;
  showUnits(equation.values(step.l), step.l);
}

const MOST_UNITS = 32;

function showUnits(values, l) {
  const shown = values.length > MOST_UNITS ? [...new Set([state.unit, ...values.keys()])].slice(0, MOST_UNITS).sort((a, b) => a - b) : [...values.keys()];
  const buttons = shown.map((j) => {
    const button = element("button", { type: "button", "aria-pressed": String(j === state.unit), title: nameOf(l, j) }, `${j + 1}: ${brief(values[j])}`);
    button.addEventListener("click", () => show({ unit: j }));
    return button;
  });
  byId("units").replaceChildren(...buttons, ...(shown.length < values.length ? [`… of ${values.length}`] : []));
}
