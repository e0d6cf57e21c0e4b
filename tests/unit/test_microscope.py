"""The page in a real browser: its numbers are the trace's, no name injects markup, keys work, small and large."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backpropc as bp
import chromium
from backpropc.microscope import Recorder, embedded, microscope
from helpers import assert_same_bits, network, targets

PAGE_FILES = Path(bp.__file__).parent / "page"
MINUS = "−"


@pytest.fixture(scope="module")
def browser() -> Iterator[chromium.Chromium]:
    if chromium.program() is None and not os.environ.get("CI"):
        pytest.skip("there is no Chromium")
    with chromium.running() as found:
        yield found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "page.html"


def opened(browser: chromium.Chromium, file: Path, width: int = 1280, height: int = 900, dark: bool = False) -> Any:
    page = chromium.Page(browser, file, width, height, dark)
    assert page.complaints() == []
    return page


def autoencoder(epochs: int = 2000) -> tuple[bp.Network, Recorder]:
    net, recorder = bp.Network([8, 3, 8], seed=3, initializer=bp.uniform(-0.1, 0.1)), Recorder(frames=10)
    eye = np.eye(8)
    net.fit(eye, eye, optimizer=bp.SGD(0.3), batch_size=1, shuffle=False, epochs=epochs, callbacks=[recorder])
    return net, recorder


def last_number(line: str) -> float:
    return float(re.findall(rf"[{MINUS}\d.e]+", line)[-1].replace(MINUS, "-"))


def near(shown: float, want: float, digits: int) -> bool:
    return abs(shown - want) <= 0.51 * 10.0 ** (1 - digits) * abs(want)


WORKED = """
[...document.querySelectorAll("#worked > .line")].map((line) => line.getAttribute("aria-label"))
"""


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["half_squared_error", "softmax_cross_entropy", "binary_cross_entropy", "huber"])
@pytest.mark.parametrize("sizes", [[2, 2, 1], [3, 4, 3, 2]])
def test_every_step_has_the_numbers_of_the_trace(
    browser: chromium.Chromium, file: Path, loss: str, sizes: list[int], dtype: str
) -> None:
    output = {"softmax_cross_entropy": "softmax"}.get(loss, "logistic")
    net = network(sizes, "tanh", output, dtype)
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=sizes[0]), targets(loss, rng, (sizes[-1],))
    trace = net.trace(x, t, loss)
    microscope(net, x, t, file, loss=loss, learning_rate=0.5)
    page = opened(browser, file)
    for i, step in enumerate(trace):
        assert page.evaluate("byId('badge').textContent") == step.equation
        assert page.evaluate("byId('counter').textContent") == f"step {i + 1} of {len(trace) + len(sizes) - 1}"
        units = page.evaluate("unitCount()")
        for j in range(units):
            page.evaluate(f"show({{unit: {j}}})")
            lines = page.evaluate(WORKED)
            if step.equation == "BP4":
                assert len(lines) == len(step.value)
                for line, want in zip(lines, step.value[:, j], strict=True):
                    assert near(last_number(line), want, 4), line
            elif step.equation == "E":
                assert near(last_number(lines[-1].removesuffix(" of all outputs")), step.value, 4)
            else:
                assert near(last_number(lines[-1]), step.value[j], 4), lines
        page.evaluate("show({unit: 0})")
        page.key("ArrowRight")
    net.update(x, t, 0.5, loss)
    page.evaluate(f"show({{step: steps.length - 1, unit: {sizes[-1] - 1}}})")
    assert near(last_number(page.evaluate(WORKED)[-1]), net.layers[-1].b[-1], 3)
    explanation = page.evaluate("byId('explanation').textContent")
    assert near(last_number(explanation.removesuffix(".")), net.loss(x, t, loss), 4)
    assert page.complaints() == []


def test_every_product_of_every_sum_is_there(browser: chromium.Chromium, file: Path) -> None:
    net = bp.Network([2, 2, 1], "logistic", dtype="float64")
    net.layers[0].w, net.layers[0].b = [[0.5, -0.5], [1.0, 0.25]], [0.0, 0.5]
    net.layers[1].w, net.layers[1].b = [[1.0], [-2.0]], [0.5]
    microscope(net, [1.0, 0.0], [1.0], file, learning_rate=0.5)
    page = opened(browser, file)
    want = {
        (0, 1): "z¹₂ = 1·(−0.5) + 0·0.25 + 0.5 = 0",
        (2, 0): "z²₁ = 0.6225·1 + 0.5·(−2) + 0.5 = 0.1225",
        (4, 0): "E = ½ · (0.5306 − 1)² = 0.1102",
        (5, 0): "∂E/∂a²₁ = 0.5306 − 1 = −0.4694",
        (6, 0): "δ²₁ = −0.4694·0.2491 = −0.1169",
        (7, 1): "∂E/∂a¹₂ = −0.1169·(−2) = 0.2338",
        (10, 1): "∂E/∂w¹₂₂ = 0·0.05846 = 0",
    }
    for (step, unit), line in want.items():
        page.evaluate(f"show({{step: {step}, unit: {unit}}})")
        assert page.evaluate(WORKED)[-1] == line
        assert page.evaluate("byId('worked').textContent").endswith(line.split(" = ")[-1])
        assert line in page.evaluate("byId('live').textContent")


def test_hovering_tells_the_numbers_of_nodes_and_edges(browser: chromium.Chromium, file: Path) -> None:
    net = network([3, 4, 2], "tanh", "logistic")
    x, t = np.array([0.3, -1.2, 2.0]), np.array([0.2, 0.9])
    trace = net.trace(x, t)
    microscope(net, x, t, file)
    page = opened(browser, file)

    def told(selector: str, at: float = 0.5) -> str:
        box = page.evaluate(
            f"(({{left, top, width, height}}) => [left, top, width, height])"
            f"(document.querySelector('{selector}').getBoundingClientRect())"
        )
        page.pointer(box[0] + at * box[2], box[1] + at * box[3])
        assert page.evaluate("!byId('tip').hidden")
        return str(page.evaluate("byId('tip').textContent"))

    for layer in range(2):
        for j in range(net.layers[layer].fan_out):
            found = told(f'[data-node="{layer},{j}"] circle')
            values = [last_number(line) for line in found.splitlines()[1:]]
            of = trace.layers[layer]
            want = [of.b[j], of.z[j], of.a[j], of.dsigma[j], of.da[j], of.delta[j]]
            assert all(near(*pair, 6) for pair in zip(values, want, strict=True)), found
    edges = page.evaluate(
        "data.layers.flatMap((_, l) => rowsOf(l).flatMap((k) => columnsOf(l).map((j) => tellEdge(l, k, j))))"
    )
    want = [pair for layer in trace.layers for pair in zip(layer.w.ravel(), layer.dw.ravel(), strict=True)]
    for found, (w, dw) in zip(edges, want, strict=True):
        shown = [last_number(line.split(" = ")[1]) for line in found.splitlines()[1:]]
        assert near(shown[0], w, 6)
        assert near(shown[1], dw, 6)
    page.pointer(2, 2)
    assert page.evaluate("byId('tip').hidden")


def test_the_tables_hold_every_number(browser: chromium.Chromium, file: Path) -> None:
    net = network([3, 4, 2], "tanh", "logistic")
    x, t = np.array([0.3, -1.2, 2.0]), np.array([0.2, 0.9])
    trace = net.trace(x, t)
    microscope(net, x, t, file)
    page = opened(browser, file)
    page.evaluate("byId('numbers-panel').open = true")
    page.evaluate("drawNumbers()")
    cells = page.evaluate(
        "[...document.querySelectorAll('#numbers table')].map((table) => [...table.rows].slice(1).map((row) => "
        "[...row.cells].slice(1).map((cell) => cell.textContent)))"
    )
    for layer, (units, w, dw) in zip(trace.layers, zip(*[iter(cells)] * 3, strict=True), strict=True):
        columns = np.stack([layer.b, layer.z, layer.a, layer.dsigma, layer.da, layer.delta], axis=1)
        for shown, want in ((units, columns), (w, layer.w), (dw, layer.dw)):
            numbers = np.array([[float(cell.replace(MINUS, "-")) for cell in row] for row in shown])
            np.testing.assert_allclose(numbers, want, rtol=1e-5)


def test_the_slider_shows_the_recorded_epochs(browser: chromium.Chromium, file: Path) -> None:
    net, recorder = autoencoder()
    eye = np.eye(8)
    microscope(net, eye, eye, file, recorder=recorder)
    page = opened(browser, file)
    assert page.evaluate("byId('epochs').max") == str(len(recorder.epochs) - 1)
    assert_same_bits(recorder.parameters[-1], net.parameters)
    for i in (0, 3, len(recorder.epochs) - 1):
        page.evaluate(f"byId('epochs').value = {i}; byId('epochs').dispatchEvent(new Event('input'))")
        assert page.evaluate("byId('epoch').textContent").startswith(f"epoch {recorder.epochs[i]}, E = ")
        assert near(last_number(page.evaluate("byId('epoch').textContent")), recorder.losses[i], 4)
        then = net.copy()
        then.parameters = recorder.parameters[i]
        assert_same_bits(np.array(page.evaluate("frame().w[0]"), np.float32), then.layers[0].w)
        for sample in (0, 5):
            page.evaluate(f"show({{sample: {sample}}})")
            hidden = np.array(page.evaluate("layerOf(0).a"), np.float32)
            assert_same_bits(hidden, then.trace(eye[sample], eye[sample]).a[1])
            assert page.evaluate("tellNode(0, 2)").count("\n") == 6


def test_the_cube_has_eight_corners_and_every_code_in_it(browser: chromium.Chromium, file: Path) -> None:
    net, recorder = autoencoder()
    microscope(net, np.eye(8), np.eye(8), file, recorder=recorder)
    page = opened(browser, file)
    labels = page.evaluate("[...document.querySelectorAll('#code svg > text')].map((text) => text.textContent)")
    assert sorted(labels) == [f"{i:03b}" for i in range(8)]
    assert page.evaluate("document.querySelectorAll('#code svg > line').length") == 12
    assert page.evaluate("document.querySelectorAll('#code svg > g').length") == 8
    before = page.evaluate("byId('code').innerHTML")
    page.evaluate("document.querySelector('#code svg').focus()")
    page.key("ArrowRight")
    assert page.evaluate("byId('code').innerHTML") != before, "the arrow keys turn it"
    assert page.evaluate("state.step") == 0, "and do nothing else"
    assert page.evaluate("document.activeElement.closest('#code') !== null")


def test_large_networks_are_heat_maps(browser: chromium.Chromium, file: Path) -> None:
    net = bp.Network([100, 70, 5], "relu", "softmax", seed=0)
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(20, 100)), rng.integers(0, 5, 20)
    recorder, diagnosis = Recorder(), bp.Diagnosis(every=1)
    loss = "softmax_cross_entropy"
    net.fit(x, t, loss, bp.SGD(0.1), epochs=30, callbacks=[recorder, diagnosis])
    microscope(net, x, t, file, loss=loss, recorder=recorder, diagnosis=diagnosis)
    trace = net.trace(x[1], t[1], loss)
    page = opened(browser, file)
    page.evaluate("show({sample: 1, step: steps.length - 1})")
    assert page.evaluate("[...document.querySelectorAll('canvas')].map((c) => [c.width, c.height])") == [
        [10, 10],
        [64, 64],
        [9, 8],
        [5, 64],
        [1, 5],
    ]
    rows, columns = page.evaluate("[rowsOf(0), columnsOf(0)]")
    assert len(rows) == len(columns) == 64
    assert rows[0] == 0
    assert rows[-1] == 99
    for row, column in ((0, 0), (63, 63), (17, 40)):
        w, dw = (
            last_number(line.split(" = ")[1]) for line in page.evaluate(f"tellEdge(0, {row}, {column})").split("\n")[1:]
        )
        assert near(w, trace.layers[0].w[rows[row], columns[column]], 6)
        assert near(dw, trace.dw[0][rows[row], columns[column]], 5) or dw == trace.dw[0][rows[row], columns[column]]
    for name, want in (("a", trace.a[1]), ("delta", trace.delta[0]), ("z", trace.z[0])):
        np.testing.assert_allclose(page.evaluate(f"layerOf(0).{name}"), want, rtol=1e-5, atol=1e-12)
    assert page.evaluate("records.map((record) => record.epoch)") == [record.epoch for record in diagnosis.records]
    for shown, seen in zip(page.evaluate("records"), diagnosis.records, strict=True):
        for values, layer in zip(shown["layers"], seen.layers, strict=True):
            assert values == {"a": list(layer.a), "delta": layer.delta, "spread": list(layer.delta_spread)}
    layers = len(net.layers)
    assert page.evaluate("document.querySelectorAll('#activations svg').length") == layers
    assert page.evaluate("document.querySelectorAll('#gradients svg').length") == 1 + layers
    told = page.evaluate("document.querySelectorAll('#gradients svg')[1].getAttribute('aria-label')")
    assert told.startswith("δ of layer 1 by epoch; at the end half of all values from ")
    assert near(last_number(told), diagnosis.records[-1].layers[0].delta_spread[2], 4)
    canvas = "document.querySelectorAll('canvas')[2]"
    page.evaluate(f"{canvas}.focus()")
    page.key("ArrowRight")
    assert "unit 2 of layer 1" in page.evaluate(f"{canvas}.getAttribute('aria-label')")
    assert page.complaints() == []


def test_numbers_that_are_not_finite(browser: chromium.Chromium, file: Path) -> None:
    """A saturated softmax has ∂E/∂a = −∞; a run may have recorded parameters and losses that are not finite."""
    net = bp.Network([1, 2], "softmax", dtype="float64")
    net.layers[0].w = [[1000.0, -1000.0]]
    recorder = Recorder()
    recorder.epochs, recorder.losses = [0, 1, 2], [1.0, float("inf"), float("nan")]
    recorder.parameters = [net.parameters * 0, net.parameters.copy(), net.parameters * float("nan")]
    microscope(net, [[1.0]], [1], file, loss="softmax_cross_entropy", recorder=recorder, learning_rate=1e300)
    page = opened(browser, file)
    for _ in range(page.evaluate("steps.length")):
        page.key("ArrowRight")
    assert page.evaluate("data.frames.map((f) => f.epoch)") == [0, 1]
    page.evaluate("show({step: 3})")
    assert page.evaluate(WORKED) == ["∂E/∂a¹₁ = −0/1 = 0"]
    page.evaluate("show({unit: 1})")
    assert page.evaluate(WORKED) == ["∂E/∂a¹₂ = not finite"]
    page.evaluate("show({step: 4, unit: 1})")
    assert page.evaluate(WORKED) == ["δ¹₂ = a¹₂ − t₂ = 0 − 1 = −1"]
    assert "NaN" not in page.evaluate("document.querySelector('main').innerHTML")
    assert page.complaints() == []


def test_functions_and_networks_of_every_kind(browser: chromium.Chromium, file: Path) -> None:
    rng = np.random.default_rng(0)
    for sizes, activation, loss in (
        ([1, 1], "gelu", "huber"),
        ([3, 3, 3, 3, 3, 3, 3, 3], "leaky_relu", "mean_absolute_error"),
        ([20, 3, 20], "tanh", "half_squared_error"),
        ([2, 17, 2, 1], "softplus", "poisson"),
        ([300, 2], "softmax", "mean_squared_error"),
    ):
        net, x = bp.Network(sizes, activation, seed=0), rng.normal(size=(3, sizes[0]))
        t, recorder = targets(loss, rng, (3, sizes[-1])), Recorder()
        net.fit(x, t, loss, bp.SGD(1e-3), epochs=3, callbacks=[recorder])
        microscope(net, x, t, file, loss=loss, recorder=recorder)
        page = opened(browser, file)
        for _ in range(page.evaluate("steps.length")):
            page.key("ArrowRight")
        page.evaluate("byId('numbers-panel').open = true")
        page.key("n")
        assert page.complaints() == []
        assert "NaN" not in page.evaluate("document.querySelector('main').innerHTML")
        assert "undefined" not in page.evaluate("document.querySelector('main').innerText")


# --- keys and controls ------------------------------------------------------------------------------------------------


def test_keys(browser: chromium.Chromium, file: Path) -> None:
    net, recorder = autoencoder(100)
    microscope(net, np.eye(8), np.eye(8), file, recorder=recorder)
    page = opened(browser, file)
    where = "[state.step, state.unit, state.frame, state.sample, state.playing]"
    last = len(recorder.epochs) - 1
    for key, want in (
        ("ArrowRight", [1, 0, last, 0, False]),
        ("ArrowRight", [2, 0, last, 0, False]),
        ("ArrowDown", [2, 1, last, 0, False]),
        ("ArrowDown", [2, 2, last, 0, False]),
        ("ArrowUp", [2, 1, last, 0, False]),
        ("ArrowLeft", [1, 0, last, 0, False]),
        ("ArrowLeft", [0, 0, last, 0, False]),
        ("ArrowLeft", [0, 0, last, 0, False]),
        ("End", [14, 0, last, 0, False]),
        ("ArrowRight", [14, 0, last, 0, False]),
        ("Home", [0, 0, last, 0, False]),
        (",", [0, 0, last - 1, 0, False]),
        (".", [0, 0, last, 0, False]),
        ("n", [0, 0, last, 1, False]),
        ("p", [0, 0, last, 0, False]),
        (" ", [0, 0, last, 0, True]),
        (" ", [0, 0, last, 0, False]),
    ):
        page.key(key)
        assert page.evaluate(where) == want, key


def test_play_goes_to_the_end(browser: chromium.Chromium, file: Path) -> None:
    microscope(bp.Network([2, 1], seed=0), [1.0, 2.0], [0.5], file)
    page = opened(browser, file)
    page.evaluate("setInterval = ((of) => (f) => of(f, 5))(setInterval)")
    page.evaluate("byId('play').click()")
    page.evaluate("new Promise((done) => { const look = () => state.playing ? setTimeout(look, 5) : done(); look(); })")
    assert page.evaluate("state.step === steps.length - 1")
    assert page.evaluate("byId('play').textContent") == "▶ Play"


def test_choosing_units_by_button_and_in_the_drawing(browser: chromium.Chromium, file: Path) -> None:
    microscope(bp.Network([2, 3, 2], seed=0), [1.0, 2.0], [0.5, 0.1], file)
    page = opened(browser, file)
    page.evaluate("document.querySelectorAll('#units button')[2].click()")
    assert page.evaluate("[state.step, state.unit]") == [0, 2]
    assert page.evaluate("document.querySelectorAll('#units button[aria-pressed=true]').length") == 1
    page.evaluate("document.querySelector('[data-node=\"1,1\"]').dispatchEvent(new Event('click'))")
    assert page.evaluate("[current().l, state.unit]") == [1, 1]


# --- names ------------------------------------------------------------------------------------------------------------

HOSTILE = [
    "</script><script>window.hacked = 1</script>",
    "<img src=x onerror=window.hacked=1>",
    "\"'><svg onload=window.hacked=1>",
    "</title><style>*{display:none}</style>&amp;&lt;",
    "\u2028\u2029\x00@DATA@ @SCRIPT@ ${1} --> <!--<script>",
    "\ud800 javascript:alert(1)",
]


def test_names_cannot_inject_markup(browser: chromium.Chromium, file: Path) -> None:
    net = bp.Network([6, 2, 6], seed=0)
    x = np.eye(6)
    title = "".join(HOSTILE)
    microscope(net, x, x, file, title=title, input_names=HOSTILE, output_names=HOSTILE, sample_names=HOSTILE)
    text = file.read_text(encoding="utf-8")
    assert text.count("<script") == 2 + 0
    assert "onerror" not in re.sub(
        r'<script type="application/json".*?</script>|<title>.*?</title>', "", text, flags=re.S
    )
    page = opened(browser, file)
    shown = [name.encode("utf-8", "replace").decode() for name in HOSTILE]
    assert page.evaluate("typeof window.hacked") == "undefined"
    assert page.evaluate("data.inputs") == page.evaluate("data.outputs") == shown
    assert page.evaluate("data.samples.map((s) => s.name)") == shown
    assert page.evaluate("byId('title').textContent") == "".join(shown)
    assert page.evaluate("[...document.querySelectorAll('#sample option')].map((o) => o.textContent)") == shown
    assert page.evaluate("tellNode(-1, 1).split('\\n')[0]") == shown[1]
    assert page.evaluate("document.querySelectorAll('script').length") == 2
    assert page.evaluate("document.querySelectorAll('img, iframe, object, embed').length") == 0
    page.evaluate("byId('numbers-panel').open = true")
    page.key("End")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=window.hacked=1>')")
    page.evaluate("new Promise((done) => setTimeout(done, 50))")
    assert page.evaluate("typeof window.hacked") == "undefined", "the policy runs nothing but the page's own program"


def test_data_stand_in_html_as_ascii_and_come_out_as_they_were() -> None:
    for value in (HOSTILE[:5], {"a": [1.5, float("nan"), -float("inf")]}, ["\u2028"]):
        text = embedded(value)
        assert text.isascii()
        assert not set("<>&") & set(text)
        want = {"a": [1.5, None, None]} if isinstance(value, dict) else value
        assert json.loads(text) == want


# --- how it stands in the world ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(320, 568), (390, 844), (820, 1180), (1280, 720), (1920, 1080)])
def test_sizes_and_themes(browser: chromium.Chromium, tmp_path: Path, width: int, height: int, dark: bool) -> None:
    """Nothing is asked of a network, nothing stands out at the side, letters can be read, and all steps draw."""
    net, recorder = autoencoder(200)
    pages = {"small": (net, np.eye(8), recorder), "large": (bp.Network([60, 40, 3], seed=0), np.ones((3, 60)), None)}
    for name, (each, x, record) in pages.items():
        file = tmp_path / f"{name}.html"
        microscope(each, x, np.zeros((len(x), each.sizes[-1])), file, recorder=record)
        page = opened(browser, file, width, height, dark)
        for _ in range(page.evaluate("steps.length")):
            page.key("ArrowRight")
        assert page.complaints() == []
        assert page.requests() == [file.as_uri()]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        sizes = page.evaluate("[...document.querySelectorAll('svg text')].map((t) => t.getBoundingClientRect().height)")
        assert min(sizes, default=99) >= 9
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", ground))) < 150) is dark
        buttons = page.evaluate("[...document.querySelectorAll('nav button')].map((b) => b.offsetHeight)")
        assert min(height for height in buttons if height) >= 34, "for a finger"
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.evaluate("byId('theme').click()")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before


def test_a_screen_reader_finds_names_for_all_that_can_be_used(browser: chromium.Chromium, file: Path) -> None:
    net, recorder = autoencoder(100)
    microscope(net, np.eye(8), np.eye(8), file, recorder=recorder)
    page = opened(browser, file)
    nodes = page.ask("Accessibility.getFullAXTree")["nodes"]
    used = [
        n
        for n in nodes
        if n.get("role", {}).get("value") in ("button", "slider", "combobox", "image", "math", "heading")
    ]
    nameless = [n for n in used if not n.get("ignored") and not n.get("name", {}).get("value")]
    assert len(used) > 20
    assert nameless == []
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.evaluate("byId('live').getAttribute('aria-live')") == "polite"
    assert page.evaluate("byId('steps').getAttribute('aria-valuetext')") == "The weighted input of layer 1, feedforward"


def colours(dark: bool) -> dict[str, tuple[float, ...]]:
    style = (PAGE_FILES / "page.css").read_text(encoding="utf-8")
    block = style.split('[data-theme="dark"] {' if dark else ":root {")[1].split("}")[0]
    found = re.findall(r"--([\w-]+): #(\w{6})", block)
    return {name: tuple(int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)) for name, code in found}


def linear(colour: tuple[float, ...]) -> np.ndarray:
    c = np.array(colour)
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """WCAG 2.2, 1.4.3."""
    a, b = (float(linear(c) @ [0.2126, 0.7152, 0.0722]) + 0.05 for c in (one, other))
    return max(a, b) / min(a, b)


# Machado, Oliveira, Fernandes 2009, severity 1
BLIND = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_colours_can_be_read_and_told_apart(dark: bool) -> None:
    found = colours(dark)
    for ground in ("ground", "paper", "faint"):
        for ink in ("ink", "soft"):
            assert contrast(found[ink], found[ground]) >= 4.5, (ink, ground)
    for ink in ("plus", "minus", "accent", "forward", "backward", "gradient", "change"):
        assert contrast(found[ink], found["paper"]) >= 4.5, ink
    assert contrast(found["on-accent"], found["accent"]) >= 4.5
    for kind, matrix in BLIND.items():
        plus, minus = (np.clip(np.array(matrix) @ linear(found[name]), 0, 1) for name in ("plus", "minus"))
        assert np.linalg.norm(plus**0.4545 - minus**0.4545) > 0.3, kind


def test_the_same_arguments_make_the_same_file(tmp_path: Path) -> None:
    files = [tmp_path / "one.html", tmp_path / "two.html"]
    for file in files:
        net, recorder = autoencoder(50)
        microscope(net, np.eye(8), np.eye(8), file, recorder=recorder)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert not re.search(rb'(?:src|href)="(?!data:|#)|https?://(?!www\.w3\.org/2000/svg)', files[0].read_bytes())


# --- the recorder -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("epochs", [1, 9, 10, 57, 1000])
def test_a_recorder_keeps_evenly_spaced_epochs(epochs: int) -> None:
    net, recorder = autoencoder(epochs)
    assert recorder.epochs[0] == 0
    assert recorder.epochs[-1] == epochs
    assert len(recorder.epochs) == len(recorder.losses) == len(recorder.parameters) <= 11
    assert len(recorder.epochs) >= min(epochs + 1, 5)
    gaps = np.diff(recorder.epochs[:-1])
    assert len(set(gaps.tolist())) <= 1
    assert_same_bits(recorder.parameters[-1], net.parameters)
    assert net.fit(np.eye(8), np.eye(8), optimizer=bp.SGD(0.3), epochs=1).loss
    alone = bp.Network([8, 3, 8], seed=3, initializer=bp.uniform(-0.1, 0.1))
    alone.fit(np.eye(8), np.eye(8), optimizer=bp.SGD(0.3), batch_size=1, shuffle=False, epochs=epochs)
    assert_same_bits(alone.parameters, recorder.parameters[-1])


def test_what_is_refused(file: Path) -> None:
    net, x, t = bp.Network([2, 3, 1], seed=0), np.ones((2, 2)), np.ones((2, 1))
    _, recorder = autoencoder(3)
    for options, error, message in (
        ({"net": 3}, TypeError, r"net is 3 \(int\); it must be a backpropc.Network"),
        ({"x": np.ones((2, 3))}, ValueError, r"x has shape \(2, 3\)"),
        ({"path": 3}, TypeError, r"path is 3; it must be a str"),
        ({"loss": "no"}, ValueError, r"loss is 'no'"),
        ({"learning_rate": "fast"}, TypeError, r"learning_rate is 'fast'"),
        ({"recorder": 3}, TypeError, r"recorder is 3; it must be None or a backpropc.microscope.Recorder"),
        ({"diagnosis": 3}, TypeError, r"diagnosis is 3; it must be None or a bp.Diagnosis"),
        ({"recorder": recorder}, ValueError, r"recorder is of a network of 59 parameters; net has 13"),
        ({"title": 3}, TypeError, r"title is 3; it must be a str"),
        ({"input_names": ["a"]}, ValueError, r"input_names has 1 names; it must have 2"),
        ({"input_names": "ab"}, TypeError, r"input_names is 'ab'; it must be a sequence of 2 str"),
        ({"output_names": [3]}, TypeError, r"output_names\[0\] is 3; it must be a str"),
        ({"sample_names": ["a"]}, ValueError, r"sample_names has 1 names; it must have 2"),
    ):
        arguments: dict[str, Any] = {"net": net, "x": x, "t": t, "path": file} | options
        with pytest.raises(error, match=message):
            microscope(**arguments)
        assert not file.exists()
    with pytest.raises(FileNotFoundError):
        microscope(net, x, t, file.parent / "no" / "page.html")
    with pytest.raises(ValueError, match=r"frames is 1; it must be at least 2"):
        Recorder(frames=1)
