"""The mutants of a C++ file: found among its tokens, which clang-format has set apart in a known way."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .mutants import Edit, Mutant, numbered

_TOKEN = re.compile(
    r"""
    (?P<skip>//[^\n]*|/\*.*?\*/|^[ ]*\#(?:\\\n|[^\n])*)
    |(?P<number>(?:0[xX][\da-fA-F.]+(?:[pP][+-]?\d+)?|\d[\d']*(?:\.\d*)?(?:[eE][+-]?\d+)?)[uUlLfF]*)
    |(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    |(?P<word>[A-Za-z_]\w*)
    |(?P<sign><<=|>>=|->\*|\.\.\.|::|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[-+*/%<>=!~?:;,.()\[\]{}&|^])
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)

SWAPS = {
    **{"+": "-", "-": "+", "*": "/", "/": "*", "%": "/"},
    **{"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="},
    **{"<<": ">>", ">>": "<<", "&": "|", "|": "&", "^": "&"},
}
_OPENING, _CLOSING = ("(", "[", "{"), (")", "]", "}")
_ASSIGNMENTS = ("=", "+=", "-=", "*=", "/=", "|=", "&=", "^=", "<<=", ">>=")
_NO_EXPRESSION = frozenset(
    [
        "alignas",
        "auto",
        "break",
        "case",
        "class",
        "const",
        "constexpr",
        "continue",
        "default",
        "do",
        "else",
        "enum",
        "explicit",
        "extern",
        "for",
        "friend",
        "goto",
        "if",
        "inline",
        "namespace",
        "private",
        "protected",
        "public",
        "return",
        "static",
        "static_assert",
        "struct",
        "switch",
        "template",
        "throw",
        "try",
        "typedef",
        "typename",
        "using",
        "virtual",
        "void",
        "volatile",
        "while",
    ]
)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    begin: int
    end: int
    spaced: bool  # white space before and after


class _Source:
    """A file's tokens and which bracket belongs to which."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [
            _Token(match.lastgroup or "", match[0], match.start(), match.end(), self._is_spaced(match))
            for match in _TOKEN.finditer(text)
            if match.lastgroup != "skip"
        ]
        self.partner: dict[int, int] = {}
        self.is_code: list[bool] = []  # within a function's body
        self._read_brackets()

    def _is_spaced(self, match: re.Match[str]) -> bool:
        return self.text[match.start() - 1].isspace() and self.text[match.end() : match.end() + 1].isspace()

    def _read_brackets(self) -> None:
        open_at: list[int] = []
        code = [False]
        for i, token in enumerate(self.tokens):
            self.is_code.append(code[-1])
            if token.text in _OPENING:
                open_at.append(i)
                before = self.tokens[i - 1].text
                code.append(code[-1] or (token.text == "{" and before in (")", "const", "noexcept", "override")))
            elif token.text in _CLOSING:
                opening = open_at.pop()
                self.partner[opening], self.partner[i] = i, opening
                code.pop()

    def before(self, i: int, stops: tuple[str, ...]) -> int:
        """Return the first token of the operand that ends before token i."""
        while i > 0:
            token = self.tokens[i - 1]
            if token.text in _CLOSING:
                if token.text == "}" and self.tokens[self.partner[i - 1]].text == "{" and self.is_code[i - 1]:
                    after = self.tokens[i]
                    if after.kind == "word" and "\n" in self.text[token.end : after.begin]:
                        return i
                i = self.partner[i - 1]
            elif token.text in _OPENING or token.text in stops:
                return i
            else:
                i -= 1
        return i

    def after(self, i: int, stops: tuple[str, ...]) -> int:
        """Return the token that follows the operand that begins with token i."""
        while i < len(self.tokens):
            token = self.tokens[i]
            if token.text in _CLOSING or token.text in stops:
                return i
            i = self.partner[i] + 1 if token.text in _OPENING else i + 1
        return i


def find(file: str, text: str) -> list[Mutant]:
    """Return the mutants of a file in the order of its text."""
    source = _Source(text)
    lines = text.splitlines()
    found = []
    for i, token in enumerate(source.tokens):
        for change, alone, planted in _changes(source, i):
            at = text.count("\n", 0, token.begin)
            can_be_planted = planted if not _is_for_the_compiler(source, i) else ()
            found.append(Mutant(file, lines[at].strip(), change, 0, at + 1, 0, tuple(alone), tuple(can_be_planted)))
    return numbered(found)


# --- the operators ----------------------------------------------------------------------------------------------------
# A planted change has @ for the number of its mutant.

_Change = tuple[str, list[Edit], list[Edit]]


def _changes(source: _Source, i: int) -> Iterator[_Change]:
    token = source.tokens[i]
    if token.kind == "number":
        if not _is_pure_virtual(source, i):
            yield _number(token)
    elif token.text in ("true", "false"):
        other = "false" if token.text == "true" else "true"
        planted = [Edit(token.begin, token.end, f"(mutation::on<@>() != {token.text})")]
        yield f"{token.text} becomes {other}", [Edit(token.begin, token.end, other)], planted
    elif token.text in ("min", "max") and _is_call(source, i):
        yield _extremum(source, i)
    elif token.text in ("&&", "||") and token.spaced:
        yield _logical(source, i)
    elif token.text in SWAPS and token.spaced:
        if "string" not in (source.tokens[i - 1].kind, source.tokens[i + 1].kind):
            yield _swap(token)
    elif token.text in ("+=", "-="):
        yield _compound(source, i)
    elif token.text == "!":
        yield "! dropped", [Edit(token.begin, token.end, "")], [Edit(token.begin, token.begin, "mutation::on<@>() != ")]
    elif token.text == "-" and not token.spaced:
        yield (
            "- dropped",
            [Edit(token.begin, token.end, "")],
            [Edit(token.begin, token.end, "mutation::Negative<@>{}->*")],
        )
    elif token.text == "if" and source.tokens[i + 1].text == "(":
        yield from _condition(source, i + 1)
    if _begins_statement(source, i):
        yield from _dropped(source, i)


def _is_pure_virtual(source: _Source, i: int) -> bool:
    return source.tokens[i - 1].text == "=" and source.tokens[i - 2].text in (")", "const", "noexcept")


def _is_call(source: _Source, i: int) -> bool:
    before = source.tokens[i - 1]
    is_named = (before.kind == "word" and before.text != "return") or (before.text == ">" and not before.spaced)
    return (
        [t.text for t in source.tokens[i + 1 : i + 3]] != ["(", "{"]
        and source.tokens[i + 1].text == "("
        and not is_named
    )


def _number(token: _Token) -> _Change:
    value = token.text.replace("'", "")
    is_floating = ("." in value or "p" in value.lower()) or (
        "e" in value.lower() and not value.lower().startswith("0x")
    )
    if is_floating:
        zero = float.fromhex(value) == 0 if "x" in value else float(value.rstrip("fFlL")) == 0
        change, alone = (
            (f"{value} becomes 1", "1.0") if zero else (f"{value} grows by 2^-10", f"({value} * 1.0009765625)")
        )
    else:
        change, alone = f"{value} becomes {value} + 1", f"({value} + 1)"
    planted = Edit(token.begin, token.end, f"mutation::number<@>({token.text})")
    return change, [Edit(token.begin, token.end, alone)], [planted]


def _swap(token: _Token) -> _Change:
    op, other = token.text, SWAPS[token.text]
    planted = Edit(token.begin, token.end, f"{op} mutation::Swap<@>{{}} {op}")
    return f"{op} becomes {other}", [Edit(token.begin, token.end, other)], [planted]


def _extremum(source: _Source, i: int) -> _Change:
    token = source.tokens[i]
    other = "max" if token.text == "min" else "min"
    qualified = source.tokens[i - 1].text == "::"
    begin, prefix = (source.tokens[i - 2].begin, "std::") if qualified else (token.begin, "")
    call = f"[&](auto... v) {{ return mutation::on<@>() ? {prefix}{other}(v...) : {prefix}{token.text}(v...); }}"
    return f"{token.text} becomes {other}", [Edit(token.begin, token.end, other)], [Edit(begin, token.end, call)]


def _logical(source: _Source, i: int) -> _Change:
    token = source.tokens[i]
    stops = (";", ",", "?", ":", "return", *_ASSIGNMENTS)
    is_and = token.text == "&&"
    first = source.before(i, (*stops, "||") if is_and else stops)
    last = source.after(i + 1, (*stops, "||", "&&") if is_and else (*stops, "||"))
    planted = [
        Edit(source.tokens[first].begin, source.tokens[first].begin, f"mutation::{'both' if is_and else 'either'}<@>("),
        Edit(token.begin, token.end, ", [&]() -> bool { return bool("),
        Edit(source.tokens[last - 1].end, source.tokens[last - 1].end, "); })"),
    ]
    other = "||" if is_and else "&&"
    return f"{token.text} becomes {other}", [Edit(token.begin, token.end, other)], planted


def _compound(source: _Source, i: int) -> _Change:
    token, other = source.tokens[i], "-=" if source.tokens[i].text == "+=" else "+="
    begin = source.tokens[i + 1].begin
    end = source.tokens[source.after(i + 1, (";", ",")) - 1].end
    planted = [Edit(begin, begin, "mutation::opposite<@>("), Edit(end, end, ")")]
    return f"{token.text} becomes {other}", [Edit(token.begin, token.end, other)], planted


def _condition(source: _Source, i: int) -> Iterator[_Change]:
    """A bare condition turned round; one with an operator is changed there."""
    inside = source.tokens[i + 1 : source.partner[i]]
    if any(t.text in (";", "&&", "||", "!", "=", "true", "false") or (t.text in SWAPS and t.spaced) for t in inside):
        return
    begin, end = source.tokens[i].end, source.tokens[source.partner[i]].begin
    planted = [Edit(begin, begin, "mutation::on<@>() != bool("), Edit(end, end, ")")]
    yield "condition turned round", [Edit(begin, begin, "!("), Edit(end, end, ")")], planted


def _begins_statement(source: _Source, i: int) -> bool:
    if not source.is_code[i] or i == 0:
        return False
    before = source.tokens[i - 1]
    if before.text == ")":
        head = source.tokens[source.partner[i - 1] - 1].text
        return head in ("if", "for", "while", "constexpr")
    if before.text == ":":
        return "case" in [t.text for t in source.tokens[max(0, i - 6) : i]]
    if before.text == "}" and "\n" not in source.text[before.end : source.tokens[i].begin]:
        return False  # the end of a value
    return before.text in (";", "{", "}", "else") and not _is_in_parentheses(source, i)


def _is_in_parentheses(source: _Source, i: int) -> bool:
    while i > 0:
        i -= 1
        if source.tokens[i].text in _CLOSING:
            i = source.partner[i]
        elif source.tokens[i].text in _OPENING:
            return source.tokens[i].text != "{"
    return False


def _dropped(source: _Source, i: int) -> Iterator[_Change]:
    if source.tokens[i].kind != "word" and source.tokens[i].text not in ("++", "--", "*", "("):
        return
    end = source.after(i, (";",))
    if end >= len(source.tokens) or source.tokens[end].text != ";" or source.tokens[i].text in _NO_EXPRESSION:
        return
    outer, at = [], i
    while at < end:
        outer.append(source.tokens[at])
        at = source.partner[at] + 1 if source.tokens[at].text in _OPENING else at + 1
    if _is_declaration(outer) or not any(t.text in (*_ASSIGNMENTS, "(", "++", "--") for t in outer):
        return
    first, last = source.tokens[i], source.tokens[end]
    planted = [Edit(first.begin, first.begin, "{ if (!mutation::on<@>()) "), Edit(last.end, last.end, " }")]
    yield "statement dropped", [Edit(first.begin, last.end, ";")], planted


def _is_declaration(outer: list[_Token]) -> bool:
    for one, next_one in itertools.pairwise(outer):
        if next_one.kind == "word" and (one.kind == "word" or (one.text in (">", "*", "&", "&&") and not one.spaced)):
            return not (one.text in ("*", "&") and one is outer[0])
    return False


def _is_for_the_compiler(source: _Source, i: int) -> bool:
    """Whether the compiler must know the value: it cannot be chosen when the program runs."""
    at = i
    while at > 0 and not _ends_statement(source, at - 1):
        at -= 1
        text = source.tokens[at].text
        if text in ("static_assert", "using", "enum", "case", "template"):
            return True
        if text == "constexpr":
            if source.tokens[at - 1].text != "if":
                return True
            return i <= source.partner[at + 1]
    return False


def _ends_statement(source: _Source, i: int) -> bool:
    token = source.tokens[i]
    if token.text == "{" and not source.is_code[i + 1]:
        return source.tokens[i - 1].text not in ("=", "{", ",", ">", "]")  # rather than begin a list of values
    return token.text in (";", "{", "}") and "\n" in source.text[token.end : source.tokens[i + 1].begin]


# --- planting ---------------------------------------------------------------------------------------------------------


def plant(text: str, mutants: Iterable[tuple[int, Mutant]]) -> str:
    """Return the text with all these changes, each of which waits for its number to be chosen."""
    edits = [
        (edit.begin, edit.end, edit.text.replace("@", str(number)), _extent(mutant))
        for number, mutant in mutants
        for edit in mutant.planted
    ]
    return _edited(text, edits)


def _extent(mutant: Mutant) -> int:
    return max(edit.end for edit in mutant.planted) - min(edit.begin for edit in mutant.planted)


def _edited(text: str, edits: list[tuple[int, int, str, int]]) -> str:
    """Apply edits; of insertions at one place the wider change opens first and closes last."""

    def order(edit: tuple[int, int, str, int]) -> tuple[int, int, int]:
        begin, end, new, extent = edit
        if begin != end:
            return begin, 2, 0
        closes = new.startswith((")", ";", " }"))
        return begin, (0 if closes else 1), (extent if closes else -extent)

    parts, at = [], 0
    for begin, end, new, _ in sorted(edits, key=order):
        parts += [text[at:begin], new]
        at = max(at, end)
    return "".join((*parts, text[at:]))
