"""Pages made of the code's own lists: activations with their curves, losses, optimizers, schedules, initializers."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import backpropc as bp
from backpropc.definitions import ACTIVATION, INITIALIZER, LOSS, OPTIMIZER, Family

PLOT = """\
```{{plot}}
:hide-source:
:alt: {name} and its derivative
import matplotlib.pyplot as plt
import numpy as np
import backpropc as bp

z = np.linspace(-4, 4, 401)
plt.figure(figsize=(4.2, 2.2))
plt.plot(z, bp.activate("{name}", z), label="σ(z)")
plt.plot(z, bp.activation_derivative("{name}", z), "--", label="σ′(z)")
plt.xlabel("z")
plt.legend(frameon=False)
```
"""
TARGETS = {
    "real": "any real numbers",
    "probabilities": "numbers in [0, 1]",
    "distribution": "rows of probabilities, or a vector of integer classes",
    "not_negative": "numbers of at least 0",
}
HEADS = {
    "activations": "What turns a layer's weighted input z into its output a = σ(z). Where no source says otherwise, "
    "the derivative at a kink is the one from the left.",
    "losses": "What E of one sample is; E of a batch is the mean over its samples. a is the output, t the target. "
    "A cross-entropy after its own activation (`binary_cross_entropy` after `logistic`, `softmax_cross_entropy` after "
    "`softmax`, `poisson` after none) is computed so that it cannot overflow.",
    "optimizers": "How a step changes the parameters w, given the gradient g = ∂E/∂w. Write them as objects: "
    "`optimizer=bp.Adam(1e-3)`.",
    "initializers": "What weights and biases start as. Random numbers are Philox streams of the network's seed.",
}


def _definition(entry: dict[str, Any]) -> list[str]:
    """Return how it is written, a name or an object with its defaults, to which others may link, and what it is."""
    parts = [p["name"] if p["default"] is None else f"{p['name']}={p['default']!r}" for p in entry["parameters"]]
    formula = ["```{code-block} text", *(line.strip() for line in entry["formula"].split(";")), "```"]
    if not parts:
        return [f'`"{entry["name"]}"`', "", *formula, ""]
    signature = f"backpropc.{entry['name']}({', '.join(parts)})"
    return [f"````{{py:class}} {signature}", ":no-contents-entry:", "", *formula, "````", ""]


def _section(entry: dict[str, Any]) -> str:
    lines = [f"## {entry['name']}", "", *_definition(entry)]
    if entry.get("alias"):
        lines += [f"Also called `{entry['alias']}`.", ""]
    if "targets" in entry:
        lines += [f"Targets: {TARGETS[entry['targets']]}.", ""]
    if entry["source"]:
        lines += [f"Source: {entry['source']}.", ""]
    if entry.get("notes"):
        lines += [entry["notes"], ""]
    if entry["name"] in ACTIVATION.names and not entry["by_row"]:
        lines += [PLOT.format(name=entry["name"])]
    return "\n".join(lines)


def _page(title: str, family: Family) -> str:
    sections = [_section(family.classes[name].entry) for name in family.names]
    names = f"```{{py:data}} backpropc.{title.upper()}\n:no-contents-entry:\n\nTheir names, a tuple of str.\n```\n"
    return "\n".join([f"# {title.capitalize()}", "", HEADS[title], "", names, *sections])


def _schedules() -> str:
    head = (
        "# Schedules\n\nThe learning rate of each epoch: `schedule=bp.schedules.cosine(100)`, or any callable from "
        "the epoch to a rate.\n"
    )
    found = [
        thing
        for thing in vars(bp.schedules).values()
        if inspect.isclass(thing) and issubclass(thing, bp.schedules.Schedule) and thing is not bp.schedules.Schedule
    ]
    return head + "".join(
        f"\n## {one.__name__}\n\n```{{eval-rst}}\n.. autoclass:: backpropc.schedules.{one.__name__}\n```\n"
        for one in found
    )


def pages() -> dict[str, str]:
    """Return the pages by their titles."""
    families = {"activations": ACTIVATION, "losses": LOSS, "optimizers": OPTIMIZER, "initializers": INITIALIZER}
    return {title: _page(title, family) for title, family in families.items()} | {"schedules": _schedules()}


def write_pages(app: Any) -> None:
    """Write the pages into ``reference/lists`` beside those written by hand."""
    folder = Path(app.srcdir) / "reference" / "lists"
    folder.mkdir(exist_ok=True)
    for title, text in pages().items():
        page = folder / f"{title}.md"
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Be an extension of Sphinx."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
