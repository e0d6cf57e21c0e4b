"""Fixtures of all tests."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> str:
    """Both element types of the core."""
    return str(request.param)
