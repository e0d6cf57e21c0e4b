"""The examples of the pages and of the docstrings run and give what they say, and nothing public is undocumented."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
import sys
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote

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


# --- links ------------------------------------------------------------------------------------------------------------

LINKING = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "csrc/README.md")]
CODE = re.compile(
    r"^ *(?P<fence>```+|~~~+)[^\n]*\n.*?^ *(?P=fence) *$|(?P<ticks>`+)(?!`)(?:(?!\n\n).)+?(?<!`)(?P=ticks)(?!`)",
    re.M | re.S,
)
LINK = re.compile(r"\]\(<?([^)\s>]+)|^ {0,3}\[[^\]^]+\]: *<?([^\s>]+)|(?:href|src)=\"([^\"]+)\"", re.M)
HEADING = re.compile(r"^#{1,6} +(.+?)(?: +#+)? *$|^\((?P<target>[^)\n]+)\)=$", re.M)
MADE = re.compile(r"(^|/)lists/")  # pages that ./dev docs makes of the code's lists, and to which it follows links


def anchors(text: str) -> set[str]:
    """The anchors of a page as GitHub and MyST name them: a heading's words in small letters, joined by hyphens."""
    found: set[str] = set()
    prose = re.sub(r"^ *(```+|~~~+)[^\n]*\n.*?^ *\1 *$", "", text, flags=re.M | re.S)
    for heading in HEADING.finditer(prose):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading["target"] or heading[1]).strip().lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        found.add(next(name for n in count() if (name := f"{slug}-{n}" if n else slug) not in found))
    return found


def broken_links(page: Path) -> list[str]:
    """The links of a page, other sites' left out, to a file or an anchor that does not exist."""
    found = []
    for link in LINK.finditer(CODE.sub("", page.read_text(encoding="utf-8"))):
        target = next(filter(None, link.groups()))
        path, _, anchor = unquote(target).partition("#")
        if re.match(r"[a-z][a-z+.-]*:", target) or MADE.search(path):
            continue
        place = page.parent / path if path else page
        is_page = place.suffix == ".md" and place.is_file()
        if not place.exists() or (anchor and is_page and anchor not in anchors(place.read_text(encoding="utf-8"))):
            found.append(target)
    return found


@pytest.mark.parametrize("page", [*LINKING, *pages()], ids=page_name)
def test_links_lead_somewhere(page: Path) -> None:
    assert not broken_links(page)


def test_broken_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# What it *holds*, to\n\n## Twice\n\n## Twice\n\n```sh\n# no heading\n```\n")
    (tmp_path / "page.md").write_text(
        "# Own `name` of it\n[a](other.md) [b](other.md#what-it-holds-to) [c](other.md#twice-1) [d](#own-name-of-it)\n"
        "[e](.) [f](https://example.org/none.md) `[g](none.md)` [h](lists/none.md)\n\n```md\n[i](none.md)\n```\n"
        "[j](none.md) ![k](none.svg) [`l`](other.md#no-heading) [m](other.md#twice-2) [n](#elsewhere)\n"
        "One ` alone, [o][1]\n\n[1]: gone.md\n\nand ` another\n"
    )
    assert broken_links(tmp_path / "page.md") == [
        "none.md",
        "none.svg",
        "other.md#no-heading",
        "other.md#twice-2",
        "#elsewhere",
        "gone.md",
    ]


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


def test_the_interface_is_in_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every public name stands in a page of the reference as what others may link to."""
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "extensions"))
    lists = importlib.import_module("definition_tables").pages()
    by_hand = [page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "reference").glob("*.md")]
    described = {
        name.rsplit(".", 1)[-1]
        for text in (*by_hand, *lists.values())
        for name in re.findall(r"(?:\bauto\w+::|\{py:\w+\}) ([\w.]+)", text)
    }
    names = {name for name in bp.__all__ if not inspect.ismodule(getattr(bp, name))}
    for part in ("c_source", "onnx", "plot", "schedules"):
        module = importlib.import_module(f"backpropc.{part}")
        defined = [name for name, thing in vars(module).items() if getattr(thing, "__module__", "") == module.__name__]
        names |= {name for name in getattr(module, "__all__", defined) if name[0] != "_"}
    assert names - {"Schedule"} <= described  # which is what all schedules are


def test_modules_are_documented() -> None:
    assert not [module.__name__ for module in modules() if not module.__doc__]
