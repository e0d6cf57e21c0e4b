"""What follows on a loss, a gradient or a parameter that is not finite."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import TypeVar

from ._arguments import shown

POLICIES = ("raise", "warn", "ignore")
RESTORED = "The network is as it was before that step"  # how the core ends its message

Result = TypeVar("Result")


class NonFinite:
    """The policy of one call, which warns at most once.

    Parameters
    ----------
    policy : str
        One of `POLICIES`.
    """

    def __init__(self, policy: str) -> None:
        self._policy, self._looks = policy, policy != "ignore"

    def run(self, work: Callable[[bool], Result]) -> Result:
        """Return ``work(True)``, which must look whether its numbers are finite, or ``work(False)``, which must not.

        Raises
        ------
        FloatingPointError
            A number is not finite, and the policy is to raise.
        """
        try:
            return work(self._looks)
        except FloatingPointError as error:
            if self._policy == "raise":
                raise
            self._looks = False
            found = str(error).removesuffix(RESTORED)
            warnings.warn(f"{found}The step is taken all the same", RuntimeWarning, stacklevel=_level_of_user())
        return work(False)


def policy(value: object) -> str:
    """Return `value`, once it is one of the policies."""
    must = f"it must be one of: {', '.join(POLICIES)}"
    if not isinstance(value, str):
        raise TypeError(f"on_nonfinite is {shown(value)}; {must}")
    if value not in POLICIES:
        raise ValueError(f"on_nonfinite is {shown(value)}; {must}")
    return value


def _level_of_user() -> int:
    """Return the level, as `warnings.warn` counts it in its caller, of the first frame outside the package."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__package__") == __package__:
        level, frame = level + 1, frame.f_back
    return level
