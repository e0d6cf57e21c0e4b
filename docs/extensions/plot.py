"""The directive ``plot``: code that draws one figure, shown with what it draws."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, ClassVar

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

import backpropc

STYLE = {
    "figure.figsize": (6.4, 3.6),
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "svg.hashsalt": "backpropc",
}


def draw(code: str, into: Path) -> None:
    """Run `code` by itself and save the figure it leaves."""
    with plt.rc_context(STYLE):
        exec(compile(code, str(into), "exec"), {})
        plt.savefig(into, metadata={"Date": None})
        plt.close("all")


class Plot(SphinxDirective):
    """A figure, and above it the code that draws it unless ``:hide-source:`` says not to show it."""

    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {"hide-source": directives.flag, "alt": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Return the code and the image; a figure is drawn anew where its code or the version has changed."""
        code = "\n".join(self.content)
        name = hashlib.sha256(f"{backpropc.__version__}\n{STYLE}\n{code}".encode()).hexdigest()[:20]
        figure = Path(self.env.doctreedir).parent / "figures" / f"{name}.svg"
        if not figure.exists():
            figure.parent.mkdir(parents=True, exist_ok=True)
            draw(code, figure)
        page = Path(self.env.doc2path(self.env.docname)).parent
        image = nodes.image(uri=os.path.relpath(figure, page), alt=self.options.get("alt", ""))
        if "hide-source" in self.options:
            return [image]
        return [nodes.literal_block(code, code, language="python"), image]


def setup(app: Any) -> dict[str, bool]:
    """Be an extension of Sphinx."""
    app.add_directive("plot", Plot)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
