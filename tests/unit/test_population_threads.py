"""A population belongs to the thread that trains it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backpropc as bp

X, T = np.eye(9, 3), np.eye(9, 2)


def test_a_population_in_training_is_saved_by_its_own_thread_alone(tmp_path: Path) -> None:
    """What another would see is neither the step before nor the one after."""
    path = tmp_path / "population"
    population, began, refused = bp.Population([3, 2], 3, seed=0), threading.Event(), threading.Event()

    def look(state: bp.State) -> None:
        population.save(path)
        began.set()
        assert refused.wait(60)

    options: dict[str, Any] = {"optimizer": bp.SGD(0.1), "callbacks": [look]}
    thread = threading.Thread(target=population.fit, args=(X, T), kwargs=options)
    thread.start()
    assert began.wait(60)
    path.unlink()
    with pytest.raises(RuntimeError, match="another thread is training it; save it afterwards"):
        population.save(path)
    with pytest.raises(RuntimeError, match="another thread is training it already"):
        population.fit(X, T, optimizer=bp.SGD(0.1))
    assert not path.exists()
    refused.set()
    thread.join()
    population.save(path)
    population.fit(X, T, optimizer=bp.SGD(0.1))
