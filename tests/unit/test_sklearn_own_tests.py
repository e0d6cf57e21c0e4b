"""scikit-learn's own tests of its perceptrons, as they are installed with it, on ours: one import is changed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("sklearn", minversion="1.9")

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs say for themselves which warnings they demand

SPEC = importlib.util.find_spec("sklearn.neural_network.tests.test_mlp")
assert SPEC is not None
assert SPEC.origin is not None
THEIRS = Path(SPEC.origin).read_text(encoding="utf-8")
IMPORT = "from sklearn.neural_network import MLPClassifier, MLPRegressor"
OURS = THEIRS.replace(IMPORT, IMPORT.replace("sklearn.neural_network", "backpropc.sklearn"))


@pytest.fixture
def global_random_seed() -> int:
    return 42


def test_the_import_is_changed() -> None:
    assert THEIRS.count(IMPORT) == 1
    assert IMPORT not in OURS


exec(compile(OURS, SPEC.origin, "exec"), globals())
