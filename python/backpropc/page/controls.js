// What the reader does, and the page that follows.

const clamp = (value, count) => Math.max(0, Math.min(count - 1, value));

function show(changes = {}) {
  const before = current().l;
  Object.assign(state, changes);
  state.step = clamp(state.step, steps.length);
  state.frame = clamp(state.frame, data.frames.length);
  state.sample = clamp(state.sample, data.samples.length);
  if (current().l !== before && changes.unit === undefined) state.unit = 0;
  state.unit = clamp(state.unit, unitCount());
  byId("steps").value = state.step;
  byId("steps").setAttribute("aria-valuetext", `${EQUATIONS[current().kind].name(current().l)}, ${badgeOf(current())}`);
  byId("epochs").value = state.frame;
  byId("sample").value = state.sample;
  showEquation();
  drawNetwork();
  if (data.frames.length > 1) {
    byId("epoch").textContent = `epoch ${frame().epoch}, E = ${digits(frame().loss)}`;
    byId("epochs").setAttribute("aria-valuetext", byId("epoch").textContent);
    drawLoss();
    drawActivations();
    drawGradients();
  }
  if (data.code !== null) drawCode();
  drawNumbers();
}

let timer = null;

function play(on) {
  state.playing = on;
  byId("play").textContent = on ? "⏸ Pause" : "▶ Play";
  byId("play").setAttribute("aria-label", on ? "Pause" : "Play");
  clearInterval(timer);
  if (!on) return;
  if (state.step === steps.length - 1) show({ step: 0 });
  timer = setInterval(() => {
    if (state.step === steps.length - 1) play(false);
    else show({ step: state.step + 1 });
  }, 1600);
}

const KEYS = {
  ArrowRight: () => show({ step: state.step + 1 }),
  ArrowLeft: () => show({ step: state.step - 1 }),
  ArrowDown: () => show({ unit: state.unit + 1 }),
  ArrowUp: () => show({ unit: state.unit - 1 }),
  Home: () => show({ step: 0 }),
  End: () => show({ step: steps.length - 1 }),
  ".": () => show({ frame: state.frame + 1 }),
  ",": () => show({ frame: state.frame - 1 }),
  n: () => show({ sample: state.sample + 1 }),
  p: () => show({ sample: state.sample - 1 }),
  " ": () => play(!state.playing),
};

document.addEventListener("keydown", (event) => {
  const on = event.target.tagName;
  const typing = on === "SELECT" || on === "INPUT" || ((on === "BUTTON" || on === "SUMMARY") && event.key === " ");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
  event.preventDefault();
  KEYS[event.key]();
});

function dress() {
  byId("title").textContent = data.title;
  byId("subtitle").textContent = `${data.network} · E: ${data.loss.name} · μ = ${digits(data.learningRate)}`;
  byId("sample").replaceChildren(...data.samples.map((s, i) => element("option", { value: i }, s.name)));
  byId("sample-label").hidden = data.samples.length === 1;
  byId("steps").max = steps.length - 1;
  byId("epochs").max = data.frames.length - 1;
  for (const id of ["epochs-panel", "activations-panel", "gradients-panel"]) byId(id).hidden = data.frames.length === 1;
  byId("code-panel").hidden = data.code === null;
  if (data.code !== null) byId("code-heading").textContent = `The hidden code: layer ${data.code + 1}${data.code2d ? "" : ", in the cube"}`;
  const legend = [element("span", { class: "plus" }, "orange"), " above zero, ", element("span", { class: "minus" }, isSmall ? "blue and dashed" : "blue"), " below zero. "];
  byId("legend").replaceChildren(...legend, isSmall ? "A line is as thick as its weight is large. Rest on anything for its numbers; choose a unit to see its sum." : "Rest on a cell, or move with the arrow keys, for its numbers.");
}

byId("steps").addEventListener("input", (event) => show({ step: Number(event.target.value) }));
byId("epochs").addEventListener("input", (event) => show({ frame: Number(event.target.value) }));
byId("sample").addEventListener("change", (event) => show({ sample: Number(event.target.value) }));
byId("first").addEventListener("click", () => show({ step: 0 }));
byId("back").addEventListener("click", () => show({ step: state.step - 1 }));
byId("next").addEventListener("click", () => show({ step: state.step + 1 }));
byId("play").addEventListener("click", () => play(!state.playing));
byId("numbers-panel").addEventListener("toggle", drawNumbers);
byId("help-button").addEventListener("click", (event) => {
  byId("help").hidden = !byId("help").hidden;
  event.currentTarget.setAttribute("aria-expanded", String(!byId("help").hidden));
});
byId("theme").addEventListener("click", () => {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  show();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => show());
let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth !== width) show();
  width = innerWidth;
});

if (data.code !== null && !data.code2d) letTurn(byId("code"));

dress();
show();
