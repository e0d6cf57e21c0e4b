"""The mutants of a Python file: found in its syntax tree, and planted in it when it is imported.

Imported as Python starts, so it imports little.
"""

from __future__ import annotations

import ast
import builtins
import json
import os
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from typing import Any, ClassVar

ON = "__mutant_is_on__"

_ARITHMETIC = {
    ast.Add: (ast.Sub, "+ becomes -"),
    ast.Sub: (ast.Add, "- becomes +"),
    ast.Mult: (ast.Div, "* becomes /"),
    ast.Div: (ast.Mult, "/ becomes *"),
    ast.FloorDiv: (ast.Mult, "// becomes *"),
    ast.Mod: (ast.Mult, "% becomes *"),
    ast.Pow: (ast.Mult, "** becomes *"),
    ast.LShift: (ast.RShift, "<< becomes >>"),
    ast.RShift: (ast.LShift, ">> becomes <<"),
    ast.BitAnd: (ast.BitOr, "& becomes |"),
    ast.BitOr: (ast.BitAnd, "| becomes &"),
}
_COMPARISONS = {
    ast.Lt: (ast.LtE, "< becomes <="),
    ast.LtE: (ast.Lt, "<= becomes <"),
    ast.Gt: (ast.GtE, "> becomes >="),
    ast.GtE: (ast.Gt, ">= becomes >"),
    ast.Eq: (ast.NotEq, "== becomes !="),
    ast.NotEq: (ast.Eq, "!= becomes =="),
    ast.Is: (ast.IsNot, "is becomes is not"),
    ast.IsNot: (ast.Is, "is not becomes is"),
    ast.In: (ast.NotIn, "in becomes not in"),
    ast.NotIn: (ast.In, "not in becomes in"),
}


class Planter(ast.NodeTransformer):
    """Goes through a tree, lists its mutants, and plants those that have a number."""

    def __init__(self, numbers: dict[int, int]) -> None:
        self.numbers = numbers  # by ordinal
        self.found: list[tuple[int, str, bool]] = []  # line number, change, whether it is at import
        self._depth = 0

    def _choice(self, node: ast.expr, change: str, other: ast.expr) -> ast.expr:
        number = self._number(node, change)
        if number is None:
            return node
        return ast.copy_location(ast.IfExp(_is_on(number), other, node), node)

    def _number(self, node: ast.AST, change: str) -> int | None:
        self.found.append((node.lineno, change, self._depth == 0))  # type: ignore[attr-defined]
        return self.numbers.get(len(self.found) - 1)

    # --- where nothing is changed -----------------------------------------------------------------------------------

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return node

    def visit_MatchValue(self, node: ast.MatchValue) -> ast.AST:
        return node

    def visit_If(self, node: ast.If) -> Any:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return node
        self.generic_visit(node)
        node.test = self._turned(node.test)
        return node

    def visit_IfExp(self, node: ast.IfExp) -> Any:
        self.generic_visit(node)
        node.test = self._turned(node.test)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        node.args.defaults = [self.visit(default) for default in node.args.defaults]
        node.args.kw_defaults = [default and self.visit(default) for default in node.args.kw_defaults]
        node.decorator_list = [self.visit(decorator) for decorator in node.decorator_list]
        self._depth += 1
        body: list[ast.stmt] = []
        for statement in node.body:
            new = self.visit(statement)
            body += new if isinstance(new, list) else [new]
        node.body = body
        self._depth -= 1
        return node

    # --- what is changed --------------------------------------------------------------------------------------------

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        self.generic_visit(node)
        if type(node.op) not in _ARITHMETIC or any(isinstance(side, ast.JoinedStr) for side in (node.left, node.right)):
            return node
        other, change = _ARITHMETIC[type(node.op)]
        return self._choice(node, change, ast.BinOp(node.left, other(), node.right))

    def visit_Compare(self, node: ast.Compare) -> Any:
        self.generic_visit(node)
        result: ast.expr = node
        for i, op in enumerate(node.ops):
            other, change = _COMPARISONS[type(op)]
            ops = [*node.ops[:i], other(), *node.ops[i + 1 :]]
            number = self._number(node, change)
            if number is not None:
                changed = ast.Compare(node.left, ops, node.comparators)
                result = ast.copy_location(ast.IfExp(_is_on(number), changed, result), node)
        return result

    def visit_BoolOp(self, node: ast.BoolOp) -> Any:
        self.generic_visit(node)
        is_and = isinstance(node.op, ast.And)
        change = "and becomes or" if is_and else "or becomes and"
        return self._choice(node, change, ast.BoolOp(ast.Or() if is_and else ast.And(), node.values))

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        self.generic_visit(node)
        if isinstance(node.op, ast.Not):
            return self._choice(node, "not dropped", node.operand)
        if isinstance(node.op, ast.USub):
            return self._choice(node, "- dropped", node.operand)
        return node

    def visit_Constant(self, node: ast.Constant) -> Any:
        value = node.value
        if isinstance(value, bool):
            return self._choice(node, f"{value} becomes {not value}", ast.Constant(not value))
        if isinstance(value, int):
            return self._choice(node, f"{value} becomes {value} + 1", ast.Constant(value + 1))
        if isinstance(value, float):
            other = value * 1.0009765625 if value else 1.0
            return self._choice(node, f"{value} becomes {other}", ast.Constant(other))
        return node

    def visit_Expr(self, node: ast.Expr) -> Any:
        self.generic_visit(node)
        return self._dropped(node) if isinstance(node.value, ast.Call) else node

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        node.value = self.visit(node.value)
        return self._dropped(node)

    def visit_Assign(self, node: ast.Assign) -> Any:
        node.value = self.visit(node.value)
        is_name = all(isinstance(target, (ast.Name, ast.Tuple)) for target in node.targets)
        return node if is_name else self._dropped(node)

    def visit_Raise(self, node: ast.Raise) -> Any:
        self.generic_visit(node)
        return self._dropped(node)

    def visit_Delete(self, node: ast.Delete) -> Any:
        return self._dropped(node)

    def _dropped(self, node: ast.stmt) -> ast.stmt:
        number = self._number(node, "statement dropped")
        if number is None:
            return node
        off = ast.UnaryOp(ast.Not(), _is_on(number))
        return ast.copy_location(ast.If(off, [node], []), node)

    def _turned(self, test: ast.expr) -> ast.expr:
        """A bare condition turned round; one with an operator is changed there."""
        if isinstance(test, (ast.Compare, ast.BoolOp, ast.IfExp, ast.UnaryOp, ast.Constant)):
            return test
        return self._choice(test, "condition turned round", ast.UnaryOp(ast.Not(), test))


def _is_on(number: int) -> ast.Call:
    return ast.Call(ast.Name(ON, ast.Load()), [ast.Constant(number)], [])


# --- at run time ------------------------------------------------------------------------------------------------------


class State:
    """Which mutant lives, as planted.hpp has it, and which have been reached."""

    mutant = int(os.environ.get("BACKPROPC_MUTANT", "0"))
    reached: ClassVar[set[int]] = set()


def is_on(number: int) -> bool:
    """Called by every planted change."""
    if State.mutant < 0:
        State.reached.add(number)
    return State.mutant == number


class _Loader(SourceFileLoader):
    numbers: dict[int, int]

    def get_code(self, fullname: str) -> Any:
        path = self.get_filename(fullname)
        tree = Planter(self.numbers).visit(ast.parse(self.get_data(path)))
        return compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)


class _Finder:
    def __init__(self, numbers: dict[str, dict[str, int]]) -> None:
        self.numbers = numbers

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if not name.startswith("backpropc"):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or not isinstance(spec.loader, SourceFileLoader) or spec.origin is None:
            return spec
        numbers = self.numbers.get("python/backpropc" + spec.origin.rpartition("/package/backpropc")[2])
        if numbers:
            loader = _Loader(name, spec.origin)
            loader.numbers = {int(ordinal): number for ordinal, number in numbers.items()}
            spec.loader = loader
        return spec


def install() -> None:
    """Plant from now on what the plan says in what is imported."""
    setattr(builtins, ON, is_on)
    with open(os.environ["BACKPROPC_MUTATION_PLAN"]) as file:
        sys.meta_path.insert(0, _Finder(json.load(file)))  # type: ignore[arg-type]


def find(text: str) -> Iterator[tuple[int, str, bool]]:
    """Yield line number, change, and whether it is made at import, of each mutant of a Python file."""
    planter = Planter({})
    planter.visit(ast.parse(text))
    yield from planter.found
