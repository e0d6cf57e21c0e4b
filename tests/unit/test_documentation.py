"""The examples of the pages and of the docstrings run and give what they say, and nothing public is undocumented."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import backpropc as bp

ROOT = Path(__file__).resolve().parents[2]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def modules() -> list[ModuleType]:
    """The package and its parts, but for those that need what is not installed here."""
    found = [bp]
    for part in pkgutil.iter_modules(bp.__path__, "backpropc."):
        try:
            found.append(importlib.import_module(part.name))
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("backpropc"):
                raise
    return found


def examples() -> list[doctest.DocTest]:
    """Each docstring of the package that has any."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = [test for module in modules() for test in finder.find(module, module.__name__, globs={})]
    return [test for test in found if test.examples]


@pytest.mark.parametrize("test", examples(), ids=lambda test: test.name)
def test_docstring(test: doctest.DocTest) -> None:
    report: list[str] = []
    doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(test, out=report.append)
    assert not report, "".join(report)


def test_docstrings_have_examples() -> None:
    """A search that finds nothing would pass in silence."""
    assert {"backpropc", "backpropc.network.Network", "backpropc.training.Trainer"} <= {
        test.name for test in examples()
    }


def blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / document).read_text(encoding="utf-8"), re.M | re.S)


def test_readme(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = blocks("README.md", "python")
    assert len(example.splitlines()) <= 10
    names: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), names)
    assert np.array_equal(names["net"].predict(names["x"]).round(), names["x"])
    assert len(names["history"].loss) == 5000
    assert capsys.readouterr().out.startswith("[[1. 0. 0.")


FENCE = re.compile(r"^```(python|\{plot\})[^\n]*\n(.*?)^```$", re.M | re.S)
OPTION = re.compile(r"^:[\w-]+:.*\n", re.M)  # of a directive


def pages() -> list[Path]:
    return sorted((ROOT / "docs").rglob("*.md"))


def page_name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize(
    "page", [page for page in pages() if FENCE.search(page.read_text(encoding="utf-8"))], ids=page_name
)
def test_page(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of a page run in their order and share their names; those with prompts give what they say.

    One that draws a figure stands alone, as it does when the site is made.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    text = page.read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    report: list[str] = []
    for block in FENCE.finditer(text):
        line = text.count("\n", 0, block.start(2))
        if block[1] == "{plot}":
            exec(compile("\n" * line + OPTION.sub("\n", block[2]), page, "exec"), {})
            sys.modules["matplotlib.pyplot"].close("all")
        elif ">>> " in block[2]:
            test = doctest.DocTestParser().get_doctest(block[2], {}, page_name(page), str(page), line)
            test.globs = names  # itself: functions of one block see what later ones define
            doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(test, out=report.append, clear_globs=False)
        else:
            exec(compile("\n" * line + block[2], page, "exec"), names)
        assert not report, "".join(report)


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *pages()], ids=page_name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$|`[^`\n]+`", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    written = [
        link for link in links if "lists/" not in link
    ]  # those pages are made by ./dev docs, which follows links too
    assert not [link for link in written if not (page.parent / link).exists()]


def public() -> list[tuple[str, Any]]:
    """Every function, class and method of the interface."""
    found: list[tuple[str, Any]] = []
    for name in bp.__all__:
        thing = getattr(bp, name)
        if inspect.isroutine(thing) or inspect.isclass(thing):
            found.append((name, thing))
        if inspect.isclass(thing):
            members = inspect.getmembers(
                thing, lambda member: inspect.isfunction(member) or isinstance(member, property)
            )
            found += [(f"{name}.{key}", member) for key, member in members if not key.startswith("_")]
    return found


@pytest.mark.parametrize(("name", "thing"), public(), ids=[name for name, _ in public()])
def test_the_interface_is_documented(name: str, thing: Any) -> None:
    """With every parameter by its name, in a section of that name or in a sentence that refers to where it is told."""
    text = inspect.getdoc(thing) or ""
    assert text
    for parameter in set(inspect.signature(thing).parameters) - {"self"} if inspect.isfunction(thing) else ():
        assert re.search(rf"(?m)^[\w, ]*\b{parameter}\b", text), parameter


def test_modules_are_documented() -> None:
    assert not [module.__name__ for module in modules() if not module.__doc__]
