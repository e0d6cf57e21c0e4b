"""The programs of examples/ run, small."""

from __future__ import annotations

import re
from pathlib import Path

import pytest


def test_pretraining_digits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    from examples import pretraining_digits

    figure = tmp_path / "figure.svg"
    small = ["--hidden", "9", "8", "--labels", "100", "--seeds", "2", "--epochs", "3", "--pretraining-epochs", "1"]
    pretraining_digits.main([*small, "--figure", str(figure)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("64-9-8-10, 100 labels, 2 seeds")
    assert [line[:20].strip() for line in lines[2:]] == list(pretraining_digits.STARTS)
    for line in lines[2:]:
        mean, worst, best = map(float, re.findall(r"(?<=[ (])[\d.]+(?= %| to|\))", line[20:68])[-3:])
        assert 0 <= worst <= mean <= best <= 100
    assert figure.read_text(encoding="utf-8").lstrip().startswith("<?xml")


def test_autoencoder_study(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    from examples import autoencoder_study

    figure = tmp_path / "figure.svg"
    autoencoder_study.main(["--seeds", "30", "--epochs", "600", "--numpy", "9", "--figure", str(figure)])
    out = capsys.readouterr().out
    rows = [line for line in out.splitlines() if line.startswith("| ±")]
    assert len(rows) == 3 * 8 + 3
    for row in rows:
        early, late = map(float, re.findall(r"([\d.]+) %", row))
        assert 0 <= early <= 100
        assert 0 <= late <= 100
    assert figure.read_text(encoding="utf-8").lstrip().startswith("<?xml")
