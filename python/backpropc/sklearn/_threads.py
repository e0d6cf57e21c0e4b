"""The core's pool among those that threadpoolctl knows, so that ``threadpool_limits`` governs it too."""

from __future__ import annotations

import ctypes
from typing import Any, cast

import threadpoolctl


class PoolController(threadpoolctl.LibController):
    """How threadpoolctl speaks to the core: through C functions that it finds in the extension module."""

    user_api = "backpropc"
    internal_api = "backpropc"
    filename_prefixes = ("_core",)
    # Other packages have a `_core` too; only ours has these.
    check_symbols = ("backpropc_get_num_threads", "backpropc_set_num_threads", "backpropc_get_version")

    def get_num_threads(self) -> int:
        """Return how many threads a call may use."""
        return int(self.dynlib.backpropc_get_num_threads())

    def set_num_threads(self, num_threads: int) -> None:
        """Set how many threads a call may use."""
        self.dynlib.backpropc_set_num_threads(num_threads)

    def get_version(self) -> str | None:
        """Return the version of the package; None of another's, for which it is asked too."""
        version: Any = getattr(self.dynlib, "backpropc_get_version", None)
        if version is None:
            return None
        version.restype = ctypes.c_char_p
        return cast(bytes, version()).decode()


def register() -> None:
    """Make the pool known to threadpoolctl."""
    threadpoolctl.register(PoolController)
