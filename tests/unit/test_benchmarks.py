"""The races of ./dev bench: contestants do the same work, a wrong one is refused, the report says what was found."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

# The sdist leaves the benchmarks out.
driver = pytest.importorskip("benchmarks.driver")
from benchmarks import report, workloads  # noqa: E402
from benchmarks.workloads import OURS, W1, W2A, Entry, Race, Target, Workload, against  # noqa: E402

MACHINE = {
    "cpu": "a processor",
    "cores": 2,
    "caches": {"L1": 1 << 15, "L2": 1 << 20, "L3": 1 << 25},
    "fma": {"avx2": {"float32": 100.0, "float64": 50.0}},
    "read": {"L1": 200.0, "L2": 100.0, "L3": 50.0, "DRAM": 10.0},
}


def outcomes(**rates: float) -> list[dict[str, Any]]:
    version = {OURS: "1.0 (avx2)"}
    return [asdict(driver.Outcome(label, version.get(label, "1"), "", rate, 1.0)) for label, rate in rates.items()]


def scores(target: Target, workload: Workload = W2A, **rates: float) -> report.Scores:
    race = Race("W", "some work", "samples/s", against(workload, "numpy", "jax"), (target,))
    return report.Scores(race, outcomes(**rates), MACHINE)


# --- the contestants --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workload", [W1, W2A], ids=["W1", "W2a"])
def test_contestants_do_the_same_work(workload: Workload, dtype: str) -> None:
    names = ("handwritten", "numpy") if workload is W1 else ("numpy",)
    race = Race("W", "", "", against(workload.changed(dtype=dtype), *names))
    for outcome in driver.run(race, driver.Method(rounds=1, round_seconds=1e-4)):
        assert outcome.rows_per_second > 0, outcome


def test_contestant_that_lacks_the_means_says_so() -> None:
    race = Race("W", "", "", against(W2A, "handwritten"))
    _, other = driver.run(race, driver.Method(rounds=1, round_seconds=1e-4))
    assert (other.rows_per_second, other.refused) == (0, False)
    assert "8-3-8" in other.note


def test_contestant_that_breaks_down_is_named() -> None:
    race = Race("W", "", "", against(W2A.changed(activation="no such function"), "numpy"))
    for outcome in driver.run(race, driver.Method(rounds=1, round_seconds=1e-4)):
        if outcome.label == OURS:
            assert outcome.refused
            assert "no such function" in outcome.note


class FakeProcess:
    def __init__(self, label: str, samples: list[list[float]]) -> None:
        self.entry = Entry(label, label, W1)
        self.samples = samples
        self.greeting = {"deviation": ""}

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert request == {"do": "check"}
        return {"samples": self.samples}


@pytest.mark.parametrize(
    ("samples", "accepted"),
    [
        ([[1.0, 2.0], [0.0]], True),
        ([[1.001, 2.0], [1e-8]], True),
        ([[1.1, 2.0], [0.0]], False),
        ([[-1.0, -2.0], [0.0]], False),
        ([[1.0, 2.0], [0.1]], False),
        ([[float("nan"), 2.0], [0.0]], False),
        ([[1.0, 2.0]], False),
    ],
)
def test_wrong_contestant_is_refused(samples: list[list[float]], accepted: bool) -> None:
    ours, other = FakeProcess(OURS, [[1.0, 2.0], [0.0]]), FakeProcess("numpy", samples)
    found = {label: driver.Outcome(label) for label in (OURS, "numpy")}
    assert driver.check([ours, other], found) == ([ours, other] if accepted else [ours])
    assert found["numpy"].refused is not accepted


def test_other_work_is_not_compared() -> None:
    assert driver.same_work(W2A, W2A.changed(threads=2, dtype="float64"))
    assert not driver.same_work(W2A, W2A.changed(optimizer="adam"))


def test_environment_sets_threads_and_drops_tuning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    found = driver.environment(2)
    assert "OPENBLAS_CORETYPE" not in found
    assert found["OMP_NUM_THREADS"] == found["BACKPROPC_NUM_THREADS"] == "2"


# --- the work ---------------------------------------------------------------------------------------------------------


def test_flops_leave_out_the_first_dx() -> None:
    assert W2A.flops_per_row == 6 * (784 * 128 + 128 * 10) - 2 * 784 * 128
    assert W2A.changed(predict=True).flops_per_row == 2 * (784 * 128 + 128 * 10)


def test_workload_survives_the_wire() -> None:
    assert Workload.from_record(W2A.record()) == W2A


def test_targets_name_entries_of_their_race() -> None:
    for race in workloads.all_races():
        labels = {entry.label for entry in race.entries}
        assert race.entries[0].contestant == OURS
        assert all(set(target.of) <= labels for target in race.targets), race.name


# --- the report -------------------------------------------------------------------------------------------------------


def test_target_by_ratio_to_the_best() -> None:
    target = Target(1.5, ("numpy", "jax"))
    assert scores(target, backpropc=300.0, numpy=100.0, jax=150.0).verdict(target) == ("≥ 1.5 × best peer (2)", True)
    assert scores(target, backpropc=300.0, numpy=250.0, jax=150.0).verdict(target)[1] is False
    assert scores(target, backpropc=300.0, numpy=0.0, jax=0.0).verdict(target)[1] is None
    assert scores(target, backpropc=0.0, numpy=100.0, jax=0.0).verdict(target)[1] is None


def test_target_by_share_of_the_peak() -> None:
    target = Target(1.5, ("numpy",), share_of_peak={"avx2": 0.8})
    rate = 80.1e9 / W2A.flops_per_row
    assert scores(target, backpropc=rate, numpy=rate).verdict(target) == (
        "≥ 1.5 × NumPy (1) or ≥ 80% of the peak (80.1%)",
        True,
    )
    assert scores(target, backpropc=0.98 * rate, numpy=rate).verdict(target)[1] is False


def test_target_by_share_alone() -> None:
    target = Target(share_of_peak=0.5)
    rate = 40e9 / W2A.flops_per_row
    assert scores(target, backpropc=rate, numpy=1.0).verdict(target) == ("≥ 50% of the peak (40.0%)", False)


def test_target_by_bandwidth_of_the_cache_that_holds_the_weights() -> None:
    target = Target(2.0, ("numpy",), share_of_bandwidth=0.8)
    calls = 90e9 / workloads.W4.parameter_bytes
    found = scores(target, workloads.W4, backpropc=calls, numpy=calls)
    assert found.verdict(target) == ("≥ 2 × NumPy (1) or ≥ 80% of L2's bandwidth (90.0%)", True)


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.123, "0.12"), (9.99, "9.99"), (12.34, "12.3"), (999.0, "999"), (1234.0, "1.23 k"), (999999.0, "1.00 M")],
)
def test_numbers_have_three_digits(value: float, written: str) -> None:
    assert report.number(value) == written


def test_ratios_are_plain_numbers() -> None:
    assert [report.times(ratio) for ratio in (0.1512, 2.0, 999.7, 1632.4)] == ["0.151", "2", "1000", "1632"]


def test_markdown_shows_numbers_notes_and_missing_results() -> None:
    target = Target(1.5, ("numpy",))
    found = scores(target, backpropc=300.0, numpy=100.0)
    found.outcomes["numpy"]["cores"] = 2.0
    results = {
        "command": "./dev bench",
        "cpu_clock": False,
        "rounds": 3,
        "machine": MACHINE,
        "versions": {OURS: "1.0"},
        "curves": [{"title": "n-n-n", "axis": "n", "points": [{"at": 3, "ours": 1.0, "numpy": 2.0}]}],
    }
    text = report.markdown(results, {"One thread, float32": [found]}, "figures")
    assert "| W: some work | **3** × NumPy | 0% | ≥ 1.5 × NumPy (3) | yes |" in text
    assert "| W | samples/s | 300 | 100 |" in text
    assert "- W: NumPy: its threads took 2.0 cores." in text
    assert "| n-n-n | n | 1 | 0.50 | 3 (0.50) |" in text


def test_measured_part_replaces_what_stood_between_the_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n", encoding="utf-8")
    report.write_between_markers(page, "new\n")
    report.write_between_markers(page, "new\n")
    assert page.read_text(encoding="utf-8") == f"before\n{report.BEGIN}\n\nnew\n\n{report.END}\nafter\n"
    page.write_text("nothing to replace", encoding="utf-8")
    with pytest.raises(ValueError, match="measured: begin"):
        report.write_between_markers(page, "new\n")


def test_page_has_the_marks() -> None:
    page = Path(sys.modules["benchmarks"].__path__[0]).parent / "docs" / "benchmarks.md"
    text = page.read_text(encoding="utf-8")
    assert text.index(report.BEGIN) < text.index(report.END)
