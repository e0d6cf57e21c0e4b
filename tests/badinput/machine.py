"""The machine: it takes a good call, spoils one argument or two, calls, and looks at what came of it.

What may come of it: the result, the same as of plain arrays of the same numbers and the oracle's where it has one; or
a documented exception that names an argument. Never another exception, a warning, a changed argument, a network that
a failed call has changed, a hang, a crash.

    python -m badinput.machine --calls 10000 --seed 1          from the folder tests
    python -m badinput.machine --again Network.predict:0,1,2   one call again, by the numbers of its choices

Hypothesis chooses, for each function by itself: the same calls for the same seed, and none twice. A call that fails it
makes simpler, as long as that fails in the same way, and what is left is printed. A call that ends the process cannot
be made simpler from within; --last names the file that tells it.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import copy
import faulthandler
import functools
import inspect
import io
import json
import math
import operator
import os
import re
import resource
import signal
import sys
import traceback
import types
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import backpropc as bp
from backpropc.definitions import Definition
from backpropc.layers import Layer

from . import judges
from .entries import ENTRIES, FOLDER, KEPT, Entry, objects_in
from .values import SPOILT, VALUES, Boom, spoilt

MEMORY = 6 * 2**30
SECONDS = 60  # for one call: more is a hang
USUAL = (TypeError, ValueError, IndexError, MemoryError, ModuleNotFoundError)
# Inherited by these, but a sign of something that nobody thought of.
UNUSUAL = (UnicodeDecodeError,)
LOOKING = ("plot.", "sklearn.")  # they go through all elements of what is huge, which is no error but a long wait
LARGE = 50  # above which a count of work takes long
OF_SKLEARN = ("X", "y", "classes", "labels", *inspect.signature(ENTRIES["sklearn.MLPRegressor"].make()).parameters)
CHOICES: dict[str, tuple[Any, ...]] = {
    "activation": (*bp.ACTIVATIONS, bp.leaky_relu(0.3)),
    "loss": (*bp.LOSSES, bp.huber(0.5)),
    "optimizer": (bp.SGD(0.1, momentum=0.9), bp.SGD(0.1, momentum=0.9, nesterov=True), bp.Adam()),
}
IMPOSSIBLE = (("activation_derivative", "softmax"),)
CLASSES_LOSS = "softmax_cross_entropy"  # whose targets may be integers


class Call(NamedTuple):
    """A call that is to be made: of what, with what, and what is wrong with it."""

    name: str
    function: Callable[..., Any]
    arguments: dict[str, Any]
    spoilt: dict[str, str]  # the arguments that are spoilt, and how
    plain: dict[str, str]  # those that are chosen, and as what
    dtype: str  # of the objects
    numbers: list[int]  # of the choices, by which it can be made again

    def __str__(self) -> str:
        words = [f"{name}: {what}" for name, what in self.spoilt.items()]
        words += [f"{name}={what}" for name, what in self.plain.items() if name not in self.spoilt]
        return f"{self.name}({', '.join(words) or 'as it should be'})"[:400]

    def __repr__(self) -> str:
        """What Hypothesis shows of a call that fails; the arguments' own could be anything."""
        return f"[--again {self.name}:{','.join(map(str, self.numbers))}] {self}"


class Choices:
    """Choose by a number below the number of options, and keep it."""

    def __init__(self, number_below: Callable[[int], int]) -> None:
        self._number_below = number_below
        self.numbers: list[int] = []

    def __call__(self, options: Sequence[Any]) -> Any:
        self.numbers.append(self._number_below(len(options)))
        return options[self.numbers[-1]]


# Whose numbers are all as likely, while Hypothesis's integers are mostly small ones.
TWO_BYTES = st.binary(min_size=2, max_size=2)


@st.composite
def calls(draw: st.DrawFn, name: str) -> Call:
    return choose_call(name, Choices(lambda n: int.from_bytes(draw(TWO_BYTES), "big") * n >> 16))


def choose_call(name: str, choose: Choices) -> Call:
    """Return a call of a function. Of all options the first is the simplest: a failing call is shrunk towards it."""
    dtype = choose(("float32", "float64"))
    with objects_in(dtype):
        function = ENTRIES[name].make()
        arguments = {key: make() for key, make in ENTRIES[name].given.items()}
    plain = {} if dtype == "float32" else {"objects": dtype}
    for key, values in CHOICES.items():
        if key in arguments and choose((False, True)):
            arguments[key] = choose([value for value in values if (name, value) not in IMPOSSIBLE])
            plain[key] = repr(arguments[key])
    if {"a", "z", "activation"} <= {*arguments}:
        arguments["a"] = bp.activate(arguments["activation"], arguments["z"])
    if "t" in arguments and arguments.get("loss") == CLASSES_LOSS and choose((False, True)):
        arguments["t"] = np.array([0, 1, 1, 0, 1, 0])
        plain["t"] = "classes"
    if choose((False, True)):
        arguments = {key: _as_float64(value) for key, value in arguments.items()}
        plain["arrays"] = "float64"
    parameters = [parameter.name for parameter in parameters_of(name) if parameter.kind not in VARIABLE]
    how: dict[str, str] = {}
    for _ in range(choose((0, 1, 1, 1, 1, 1, 2, 2))):
        if parameters:
            key = choose(parameters)
            how[key] = _spoil(name, arguments, key, choose)
    return Call(name, function, arguments, how, plain, dtype, choose.numbers)


VARIABLE = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


@functools.cache
def parameters_of(name: str) -> tuple[inspect.Parameter, ...]:
    return tuple(inspect.signature(ENTRIES[name].make()).parameters.values())


def _as_float64(value: Any) -> Any:
    return value.astype(np.float64) if isinstance(value, np.ndarray) and value.dtype == np.float32 else value


def _spoil(name: str, arguments: dict[str, Any], key: str, choose: Choices) -> str:
    """Put something else for an argument; return what."""
    good = arguments.get(key)
    others = [other for other in arguments if other != key]
    kind = choose(("value", "spoilt", "spoilt") if issubclass(type(good), np.ndarray) else ("value",) * 9 + ("other",))
    if kind == "spoilt":
        what = choose(list(SPOILT))
        if what == "huge" and name.startswith(LOOKING):
            return "as it should be"
        arguments[key] = spoilt(good, what)  # type: ignore[arg-type]
    elif kind == "other" and others:
        what = choose(others)
        arguments[key] = arguments[what]
        what = f"the argument {what}"
    else:
        what = choose(list(VALUES))
        if what == "a deep list" and key in OF_SKLEARN:  # its own message shows it
            return "as it should be"
        arguments[key] = VALUES[what]()
    if key in ENTRIES[name].long and key in arguments and _is_large(arguments[key]):
        arguments[key] = 2
        return "as it should be"
    return what


def _is_large(value: Any) -> bool:
    try:
        return bool(operator.index(value) > LARGE)
    except Exception:
        return type(value) is range  # such as sizes of a hundred thousand layers


# After these a part may have been done: each documents that the steps before stand, and a population warns of it.
PART_DONE = (
    *("result", "the argument's own exception"),
    *("FloatingPointError", "FileNotFoundError", "OSError", "RuntimeWarning"),
)

# --- what came of it --------------------------------------------------------------------------------------------------


class Hang(BaseException):
    """A call that does not end."""


def judge(call: Call) -> tuple[str, bool]:
    """Make a call and return what came of it, in a word, and whether the oracle had its own on that.

    Raises an AssertionError where it is not allowed.
    """
    entry = ENTRIES[call.name]
    owner = getattr(call.function, "__self__", None)
    plain = _plain_call(call, entry)
    values = {**call.arguments, "self": owner}
    before = {key: fingerprint(value) for key, value in values.items()}
    as_they_were = {key: judges.as_it_was(value) for key, value in values.items()}
    try:
        result = quietly(call.name, call.function, call.arguments)
    except Boom:
        assert any(key in call.spoilt for key in call.arguments), f"{call}: raised by no argument"
        outcome = "the argument's own exception"
    except Exception as error:
        _check_error(call, entry, error)
        of_its_own = any(_holds_callables(call.arguments.get(key)) for key in call.spoilt)
        outcome = "the argument's own exception" if of_its_own else type(error).__name__
    else:
        outcome = "result"
    changed = [key for key, value in values.items() if fingerprint(value) != before[key]]
    allowed = entry.in_place if call.name.startswith("sklearn.") or outcome in PART_DONE else ()
    in_place = [values[key] for key in allowed]
    assert all(any(values[key] is each for each in in_place) for key in changed), (
        f"{call}: changed {', '.join(changed)}, outcome {outcome}"
    )
    if outcome != "result":
        return outcome, False
    if plain is not None:
        _check_same(call, result, plain, values)
    return outcome, judges.check(call.name, as_they_were, values, result)


def quietly(name: str, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """Call with warnings as errors, with nothing printed."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("error")
        named = dict(arguments)
        unnamed = [each.name for each in parameters_of(name) if each.kind is each.POSITIONAL_ONLY]
        positional = [named.pop(each) for each in unnamed if each in arguments]
        result = function(*positional, **named)
        if isinstance(result, types.GeneratorType):
            result = list(result)
        return result


def _check_error(call: Call, entry: Entry, error: Exception) -> None:
    where = f"{call}: {type(error).__name__}: {str(error)[:300]}"
    # a rate is computed by whatever arithmetic its arguments have
    arithmetic = (ArithmeticError, NotImplementedError, RuntimeWarning) if call.name.endswith(".rate") else ()
    assert isinstance(error, (*USUAL, *entry.errors, *arithmetic)), where
    assert not isinstance(error, UNUSUAL), where
    assert call.spoilt, f"nothing was spoilt; {where}"
    if isinstance(error, (MemoryError, OSError, FloatingPointError, *entry.errors)):
        return
    message = str(error)
    called = any(_holds_callables(call.arguments.get(key)) for key in call.spoilt)  # with what they did not expect
    odd = any(how.startswith("__") or "raises" in how for how in call.spoilt.values())  # it fails in ways of its own
    others_words = call.name.startswith("sklearn.") or call.name.endswith((".rate", ".rvs"))
    if called or odd or others_words:
        return
    names = {*call.arguments, *call.spoilt, "layers"}
    paths = [repr(os.fsdecode(value)) for value in call.arguments.values() if isinstance(value, (str, bytes))]
    named = any(re.search(rf"\b{re.escape(name)}\b", message) for name in names) or any(p in message for p in paths)
    assert named, f"it names no argument; {where}"


def _holds_callables(value: Any) -> bool:
    return callable(value) or (type(value) is list and any(map(callable, value)))


def fingerprint(value: Any, depth: int = 0) -> Any:
    """What a call must not change: the numbers, shapes and places of arrays, and the state of our objects."""
    if issubclass(type(value), np.ndarray):
        value = value.view(np.ndarray) if type(value) is not np.ndarray else value
        small = value.size <= 10**5 and value.nbytes <= 10**7 and not value.dtype.hasobject
        return (
            value.__array_interface__["data"],
            value.shape,
            value.strides,
            str(value.dtype),
            small and value.tobytes(),
        )
    if issubclass(type(value), bp.Network):
        return value.parameters.tobytes(), tuple(layer.trainable for layer in value.layers)
    if issubclass(type(value), bp.Trainer):
        return fingerprint(value.network), value.step_count, value.epoch, repr(value.history.history)
    if issubclass(type(value), bp.Population):
        return value.parameters.tobytes()
    if issubclass(type(value), Layer):
        return (
            value.w.tobytes(),
            value.b.tobytes(),
            value.trainable,
            None if value.mask is None else value.mask.tobytes(),
        )
    if str(type(value).__module__).startswith("backpropc.") and not issubclass(type(value), Definition) and depth < 2:
        return [(key, fingerprint(each, depth + 1)) for key, each in sorted(getattr(value, "__dict__", {}).items())]
    if type(value) in (list, tuple) and len(value) < 10**4 and depth < 2:
        return [fingerprint(each, depth + 1) for each in value]
    return id(value)


def _plain_call(call: Call, entry: Entry) -> Any:
    """The result of the same call with plain arrays in the place of what is an array of numbers, or None."""
    arguments, found = dict(call.arguments), False
    for key in call.spoilt:
        value = arguments.get(key)
        if not issubclass(type(value), (np.ndarray, memoryview)) or np.ma.isMaskedArray(value) or key in entry.in_place:
            return None
        try:
            array = np.asarray(value)
        except ValueError:
            return None
        if array.dtype.kind not in "fiub" or array.size > 10**5:
            return None
        arguments[key], found = np.array(array, order="C"), True
    if not found or call.name in NOT_THE_SAME:
        return None
    try:
        # another object than that of the call to come, for both may change theirs
        result = quietly(call.name, entry.make(), {key: _fresh(value) for key, value in arguments.items()})
    except Exception:
        return None
    return (result,)


def _fresh(value: Any) -> Any:
    return copy.deepcopy(value) if issubclass(type(value), (bp.Network, bp.Trainer)) else value


# Their results are drawings, files, or of two calls not the same.
NOT_THE_SAME = tuple(
    name for name in ENTRIES if name.startswith(("plot.", "microscope.", "Diagnosis", "History", "schedules."))
)


def _check_same(call: Call, result: Any, plain: Any, values: dict[str, Any]) -> None:
    (want,) = plain
    got, want = _comparable(result), _comparable(want)
    assert got == want, f"{call}: not what plain arrays of the same numbers give"


def _comparable(value: Any, depth: int = 0) -> Any:
    """Something equal for results of equal bits."""
    if isinstance(value, (np.ndarray, np.generic)):
        value = np.asarray(value)
        return str(value.dtype), value.shape, value.tobytes()
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value.hex()
    if isinstance(value, (list, tuple)) and depth < 8:
        return [_comparable(each, depth + 1) for each in value]
    if isinstance(value, dict):
        return {key: _comparable(each, depth + 1) for key, each in value.items()}
    if isinstance(value, bp.Network):
        return value.parameters.tobytes()
    if isinstance(value, bp.History):
        return _comparable(value.history)
    return type(value).__name__


# --- many of them -----------------------------------------------------------------------------------------------------


class Report:
    """What came of the calls, by function."""

    def __init__(self) -> None:
        self.outcomes: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        self.held_to_the_oracle: collections.Counter[str] = collections.Counter()

    @property
    def calls(self) -> int:
        return sum(counts.total() for counts in self.outcomes.values())

    def __str__(self) -> str:
        kinds = sum(self.outcomes.values(), collections.Counter())
        return (
            f"{', '.join(f'{kind}: {count}' for kind, count in kinds.most_common())}\n"
            f"{self.calls} calls of {len(self.outcomes)} functions; {self.held_to_the_oracle.total()} results of "
            f"{len(self.held_to_the_oracle)} functions held to the oracle's"
        )

    def to_json(self) -> str:
        return json.dumps({"calls": self.calls, "outcomes": self.outcomes, "oracle": self.held_to_the_oracle})


def make_and_judge(call: Call, report: Report) -> None:
    """Make a call and judge it, with a bound on its time."""
    faulthandler.dump_traceback_later(2 * SECONDS, exit=True)  # where the core never comes back to Python
    signal.alarm(SECONDS)
    try:
        with objects_in(call.dtype):
            outcome, held = judge(call)
    except Hang:
        raise AssertionError(f"{call}: does not end") from None
    except AssertionError as error:
        raise AssertionError(f"{call}: {error}" if call.name not in str(error) else str(error)) from error
    finally:
        signal.alarm(0)
        _clear_folder()
    report.outcomes[call.name][outcome] += 1
    if held:
        report.held_to_the_oracle[call.name] += 1


def _on_alarm(*_: Any) -> None:
    raise Hang("the call does not end")


def _clear_folder() -> None:
    for entry in os.scandir(FOLDER):
        if not entry.name.startswith(KEPT) and not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.path)


def prepare() -> None:
    """Bound the memory, so that a huge request is a MemoryError, and what a crash or a hang in the core tells."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir(FOLDER)  # where calls may write files of odd names
    signal.signal(signal.SIGALRM, _on_alarm)
    faulthandler.enable()


def search(number_of_calls: int, seed_of_all: int, note: Callable[[str], object], report: Report) -> bool:
    """Make about so many calls, more of what takes more arguments; print what fails. Return whether nothing does."""
    shares = {name: 3 + len(parameters_of(name)) for name in sorted(ENTRIES)}
    good = True
    for name, share in shares.items():
        try:
            _search_one(name, -(-number_of_calls * share // sum(shares.values())), seed_of_all, note, report)
        except Exception as error:
            traceback.print_exception(error)
            good = False
    return good


def _search_one(
    name: str, number_of_calls: int, seed_of_all: int, note: Callable[[str], object], report: Report
) -> None:
    """Make so many calls of a function, or all there are; raise what one that fails does, after it was made simpler."""

    @seed(f"{seed_of_all} {name}")
    @settings(
        max_examples=number_of_calls,
        phases=(Phase.generate, Phase.shrink),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(calls(name))
    def every_call_is_answered(call: Call) -> None:
        note(repr(call))
        make_and_judge(call, report)

    every_call_is_answered()


def repeat(call: str, report: Report) -> bool:
    """Make one call again."""
    name, numbers = call.split(":")
    left = iter(numbers.split(","))
    chosen = choose_call(name, Choices(lambda n: int(next(left))))
    print(chosen, flush=True)
    make_and_judge(chosen, report)
    return True


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", metavar="NAME:CHOICES", help="make one call again, as it was printed")
    parser.add_argument("--last", default=os.devnull, help="file that tells the last call before a crash")
    parser.add_argument("--report", default=os.devnull, help="file for what came of the calls, as JSON")
    options = parser.parse_args()
    report = Report()
    with open(options.last, "wb", buffering=0) as last, open(options.report, "w") as told:
        prepare()
        try:
            if options.again is not None:
                good = repeat(options.again, report)
            else:
                good = search(options.calls, options.seed, _noting(last), report)
        finally:
            os.chdir("/")  # the folder is removed
        told.write(report.to_json())
    print(report)
    return 0 if good else 1


def _noting(file: Any) -> Callable[[str], object]:
    return lambda text: os.pwrite(file.fileno(), text.encode(errors="replace").ljust(1000), 0)


if __name__ == "__main__":
    sys.exit(main())
