"""How Hypothesis runs here: the same examples every time in CI, and no deadline, for a loaded machine is not a bug."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")
