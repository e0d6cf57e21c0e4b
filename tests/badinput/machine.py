"""The machine: it takes a good call, spoils one argument or two, calls, and looks at what came of it.

What may come of it: the result, the same as of plain arrays of the same numbers and the oracle's where it has one; or
a documented exception that names an argument. Never another exception, a warning, a changed argument, a network that
a failed call has changed, a hang, a crash.

    python -m badinput.machine --calls 10000 --seed 1              from the folder tests
    python -m badinput.machine --calls 1 --seed 1 --skip 123       the 124th call again
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import copy
import faulthandler
import inspect
import io
import math
import operator
import os
import re
import resource
import shutil
import signal
import sys
import time
import traceback
import types
import warnings
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

import numpy as np

import backpropc as bp
from backpropc.definitions import Definition

from . import judges
from .entries import ENTRIES, FOLDER, Entry
from .values import SPOILT, VALUES, Boom, spoilt

Choose = Callable[[Sequence[Any]], Any]

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
    "dtype": ("float32", "float64"),
}


class Call(NamedTuple):
    """A call that is to be made: of what, with what, and what is wrong with it."""

    name: str
    function: Callable[..., Any]
    arguments: dict[str, Any]
    spoilt: dict[str, str]  # the arguments that are spoilt, and how

    def __str__(self) -> str:
        how = ", ".join(f"{name}: {what}" for name, what in self.spoilt.items())
        plain = ", ".join(f"{key}={self.arguments[key]}" for key in CHOICES if type(self.arguments.get(key)) is str)
        return f"{self.name}({how or 'as it should be'}; {plain})"[:400]


def choose_call(choose: Choose) -> Call:
    name = choose(sorted(ENTRIES))
    entry = ENTRIES[name]
    function = entry.make()
    arguments = {key: make() for key, make in entry.given.items()}
    for key, values in CHOICES.items():
        if key in arguments and name != "activation_derivative" and choose((True, False)):
            arguments[key] = choose([value for value in values if isinstance(arguments[key], str)] or [arguments[key]])
    if choose((True, False)):
        arguments = {key: _as_float64(value) for key, value in arguments.items()}
    parameters = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    ]
    how: dict[str, str] = {}
    for _ in range(choose((0, 1, 1, 1, 1, 1, 2, 2))):
        if parameters:
            key = choose(parameters)
            how[key] = _spoil(name, arguments, key, choose)
    return Call(name, function, arguments, how)


def _as_float64(value: Any) -> Any:
    return value.astype(np.float64) if isinstance(value, np.ndarray) and value.dtype == np.float32 else value


def _spoil(name: str, arguments: dict[str, Any], key: str, choose: Choose) -> str:
    """Put something else for an argument; return what."""
    good = arguments.get(key)
    others = [other for other in arguments if other != key]
    kind = choose(("value", "spoilt", "spoilt") if issubclass(type(good), np.ndarray) else ("value",) * 9 + ("other",))
    if kind == "spoilt":
        what = choose(sorted(SPOILT))
        if what == "huge" and name.startswith(LOOKING):
            return "as it should be"
        arguments[key] = spoilt(good, what)  # type: ignore[arg-type]
    elif kind == "other" and others:
        what = choose(others)
        arguments[key] = arguments[what]
        what = f"the argument {what}"
    else:
        what = choose(sorted(VALUES))
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


# After these a part may have been done: each documents that the steps before stand.
PART_DONE = ("result", "FloatingPointError", "FileNotFoundError", "OSError", "the argument's own exception")

# --- what came of it --------------------------------------------------------------------------------------------------


class Hang(BaseException):
    """A call that does not end."""


def judge(call: Call) -> str:
    """Make a call and return what came of it, in a word; raise an AssertionError where that is not allowed."""
    entry = ENTRIES[call.name]
    owner = getattr(call.function, "__self__", None)
    plain = _plain_call(call, entry)
    values = {**call.arguments, "self": owner}
    before = {key: fingerprint(value) for key, value in values.items()}
    copies = {
        key: np.array(value)
        for key, value in values.items()
        if issubclass(type(value), np.ndarray) and value.size < 10**6
    }
    try:
        result = _quietly(call.function, call.arguments)
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
    if outcome == "result":
        if plain is not None:
            _check_same(call, result, plain, values)
        judges.check(call.name, {**values, **copies}, values, result)
    return outcome


def _quietly(function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """Call with warnings as errors, with nothing printed."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("error")
        signature = inspect.signature(function)
        positional = [
            arguments[name]
            for name, parameter in signature.parameters.items()
            if parameter.kind is parameter.POSITIONAL_ONLY and name in arguments
        ]
        named = {
            name: value
            for name, value in arguments.items()
            if name not in signature.parameters
            or signature.parameters[name].kind is not inspect.Parameter.POSITIONAL_ONLY
        }
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
        result = _quietly(entry.make(), {key: _fresh(value) for key, value in arguments.items()})
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


def _on_alarm(*_: Any) -> None:
    raise Hang("the call does not end")


def one_call(choose: Choose, note: Callable[[str], object] = lambda text: None) -> str:
    """Choose a call, make it, and judge it; `note` is told of it before."""
    call = choose_call(choose)
    note(str(call))
    signal.alarm(SECONDS)
    try:
        return f"{call.name} {judge(call)}"
    except Hang:
        raise AssertionError(f"{call}: does not end") from None
    except AssertionError as error:
        raise AssertionError(f"{call}: {error}" if call.name not in str(error) else str(error)) from error
    finally:
        signal.alarm(0)


def prepare() -> None:
    """Bound the memory, so that a huge request is a MemoryError, and what a crash or a hang in the core tells."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir(FOLDER)  # where calls may write files of odd names
    signal.signal(signal.SIGALRM, _on_alarm)
    faulthandler.enable()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=math.inf, help="end after these, even before all calls")
    parser.add_argument("--last", default=os.devnull, help="file that tells the last call before a crash")
    options = parser.parse_args()
    prepare()
    findings: dict[str, tuple[int, str]] = {}
    outcomes: collections.Counter[str] = collections.Counter()
    begin, done = time.monotonic(), 0
    with open(options.last, "wb", buffering=0) as last:
        for number in range(options.skip, options.skip + options.calls):
            if time.monotonic() - begin > options.seconds:
                break
            faulthandler.dump_traceback_later(2 * SECONDS, exit=True)
            note = _noting(last, number)
            try:
                outcomes[one_call(Random(options.seed * 10**9 + number).choice, note)] += 1
            except Exception as error:
                _add_finding(findings, number, error)
            done += 1
            for name in set(os.listdir(FOLDER)) - {"network", "trainer", "population"}:
                os.unlink(os.path.join(FOLDER, name))
    os.chdir("/")
    shutil.rmtree(FOLDER, ignore_errors=True)
    _report(done, outcomes, findings)
    return 1 if findings else 0


def _noting(file: Any, number: int) -> Callable[[str], object]:
    return lambda text: os.pwrite(file.fileno(), f"{number}: {text}".encode(errors="replace").ljust(1000), 0)


def _add_finding(findings: dict[str, tuple[int, str]], number: int, error: Exception) -> None:
    """One of each kind: of a function, and of what it did."""
    text = f"{type(error).__name__}: {error}" if not isinstance(error, AssertionError) else str(error)
    kind = re.sub(r"[\d.]+|'.*?'", "#", re.sub(r"\(.*?\): ", ": ", text))[:120]
    if kind not in findings and not isinstance(error, AssertionError):
        traceback.print_exception(error)
    if kind not in findings:
        print(f"FOUND in call {number}: {text!a}", flush=True)
    findings.setdefault(kind, (number, text))


def _report(done: int, outcomes: collections.Counter[str], findings: dict[str, tuple[int, str]]) -> None:
    kinds = collections.Counter()
    for name, count in outcomes.items():
        kinds[name.split(" ", 1)[1]] += count
    print(", ".join(f"{kind}: {count}" for kind, count in kinds.most_common()))
    print(f"{done} calls of {len({name.split(' ')[0] for name in outcomes})} functions, {len(findings)} findings")


if __name__ == "__main__":
    sys.exit(main())
