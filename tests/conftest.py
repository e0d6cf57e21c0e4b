"""Fixtures of all tests."""

from __future__ import annotations

import signal

import pytest

# A shell starts its background jobs with SIGINT ignored, and whatever they start inherits that: also the programs that
# the tests of Ctrl-C run.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> str:
    """Both element types of the core."""
    return str(request.param)
