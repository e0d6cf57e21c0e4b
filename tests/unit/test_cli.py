"""The command line: what `backpropc autoencoder` prints, and how it ends. 0 is success, 2 wrong usage, 1 failure."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backpropc as bp
from backpropc import cli
from backpropc._startup import is_the_command
from backpropc.commands import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "backpropc"]
FOREVER = ["autoencoder", "--epochs", str(10**12)]
NOT_BINARY = 1  # a seed whose code is none


def demo(capsys: pytest.CaptureFixture[str], *options: object) -> str:
    """What the demo prints, if it succeeds and complains of nothing."""
    assert cli.main(["autoencoder", *map(str, options)]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def result(capsys: pytest.CaptureFixture[str], *options: object) -> dict[str, Any]:
    """What it prints with --json: one object on one line."""
    text = demo(capsys, "--json", *options)
    assert text.count("\n") == 1
    found: dict[str, Any] = json.loads(text)
    return found


# --- the demo ---------------------------------------------------------------------------------------------------------


def test_the_default_seed_learns_a_binary_code(capsys: pytest.CaptureFixture[str]) -> None:
    text = demo(capsys)
    lines = text.splitlines()
    head = lines.index("Learned representation") + 2
    assert lines[head].split() == ["input", "hidden", "values", "output"]
    codes = set()
    for i, line in enumerate(lines[head + 1 : head + 9]):
        pattern, *hidden, output = line.split()
        assert pattern == output == f"{10 ** (7 - i):08d}"
        assert len(hidden) == 3
        codes.add(tuple(round(float(value)) for value in hidden))
    assert len(codes) == 8
    for words in ("a binary code", "59 parameters", "updates/s", "error E"):
        assert words in text


def test_a_code_that_is_not_binary_is_called_so(capsys: pytest.CaptureFixture[str]) -> None:
    found = result(capsys, "--seed", NOT_BINARY)
    assert (found["reconstructed"], found["binary_code"]) == (8, False)
    text = demo(capsys, "--seed", NOT_BINARY)
    assert "not binary for this seed" in text
    assert f"only {found['distinct_codes']} different codes" in text
    assert "a binary code" not in text


def test_what_is_not_learned_is_called_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Not learned yet: 0 of 8" in demo(capsys, "--epochs", 1)


def test_progress_is_shown_and_no_epoch_twice(capsys: pytest.CaptureFixture[str]) -> None:
    def epochs(n: int) -> list[int]:
        lines = demo(capsys, "--epochs", n).splitlines()
        start = next(i for i, line in enumerate(lines) if line.split() == ["epoch", "E", "reconstructed"]) + 1
        return [int(line.split()[0]) for line in lines[start : lines.index("", start)]]

    assert epochs(1) == [1]
    assert epochs(5) == [1, 2, 3, 4, 5]
    assert epochs(5000) == [500 * i for i in range(1, 11)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_options_are_the_networks(capsys: pytest.CaptureFixture[str], dtype: str) -> None:
    """The same run by hand: online, in order, ½Σ(a−t)², all parameters uniform in ±0.1."""
    seed = 2**64 - 1
    found = result(
        capsys, "--epochs", 37, "--learning-rate", 0.7, "--seed", seed, "--hidden", 5, "--dtype", dtype
    )  # fmt: skip
    around_0, eye = bp.uniform(-0.1, 0.1), np.eye(8)
    net = bp.Network([8, 5, 8], seed=seed, dtype=dtype, initializer=around_0, bias_initializer=around_0)
    net.fit(eye, eye, optimizer=bp.SGD(0.7), batch_size=1, shuffle=False, epochs=37)
    assert found["output"] == net.predict(eye).tolist()
    assert found["hidden"] == net.trace(eye, eye).a[1].tolist()
    assert found["loss"] == net.loss(eye, eye)
    wanted = {"sizes": [8, 5, 8], "n_parameters": 93, "dtype": dtype, "seed": seed, "learning_rate": 0.7, "epochs": 37}
    assert {name: found[name] for name in wanted} == wanted


@pytest.mark.parametrize("hidden", [1, 2, 40])
def test_any_number_of_hidden_units(capsys: pytest.CaptureFixture[str], hidden: int) -> None:
    lines = demo(capsys, "--hidden", hidden, "--epochs", 50).splitlines()
    assert len(next(line for line in lines if line.startswith("10000000")).split()) == 2 + hidden


def test_fewer_than_three_hidden_units_cannot_hold_a_binary_code(capsys: pytest.CaptureFixture[str]) -> None:
    text = demo(capsys, "--hidden", 2, "--epochs", 50_000, "--seed", 1)
    assert "All 8 inputs come out again" in text
    assert "no more than 4 codes" in text
    assert "try another --seed" not in text


# --- how it ends ------------------------------------------------------------------------------------------------------

WRONG: dict[str, tuple[list[str], str]] = {
    "no command": ([], "COMMAND"),
    "unknown command": (["autoencode"], "'autoencode'"),
    "unknown option": (["autoencoder", "--momentum", "1"], "--momentum"),
    "no epochs": (["autoencoder", "--epochs", "0"], "--epochs: '0' is not an integer of at least 1"),
    "epochs not an integer": (["autoencoder", "--epochs", "1e3"], "--epochs: '1e3' is not an integer of at least 1"),
    "no hidden units": (["autoencoder", "--hidden", "0"], "--hidden: '0' is not an integer of at least 1"),
    "negative seed": (["autoencoder", "--seed", "-1"], "--seed: '-1' is not an integer from 0 to 18446744073709551615"),
    "seed too large": (["autoencoder", "--seed", str(2**64)], "is not an integer from 0 to 18446744073709551615"),
    "negative rate": (["autoencoder", "--learning-rate", "-1"], "--learning-rate: '-1' is not a finite number"),
    "rate nan": (["autoencoder", "--learning-rate", "nan"], "--learning-rate: 'nan' is not a finite number"),
    "rate a word": (["autoencoder", "--learning-rate", "fast"], "--learning-rate: 'fast' is not a finite number"),
    "dtype": (["autoencoder", "--dtype", "float16"], "--dtype: invalid choice: 'float16'"),
}


@pytest.mark.parametrize(("arguments", "says"), WRONG.values(), ids=WRONG)
def test_wrong_usage_ends_in_2(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    captured = capsys.readouterr()
    assert (ended.value.code, captured.out) == (2, "")
    assert says in captured.err.splitlines()[-1]


@pytest.mark.parametrize("arguments", [["--help"], ["autoencoder", "--help"], ["--version"]])
def test_help_ends_in_0(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code in (0, None)
    assert capsys.readouterr().out


FAILURES: dict[str, tuple[list[str], str]] = {
    "does not fit in memory": (["--hidden", str(10**14)], "memory"),
    "sizes overflow": (["--hidden", str(10**20)], "memory"),
    "rate beyond the dtype": (["--learning-rate", "1e39"], "learning_rate is 1e+39; it must be finite in float32"),
}


@pytest.mark.parametrize(("options", "says"), FAILURES.values(), ids=FAILURES)
def test_failure_ends_in_1_with_one_line(options: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["autoencoder", *options]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("backpropc: ")
    assert says in line


def run(arguments: list[str], **streams: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], stderr=subprocess.PIPE, text=True, timeout=60, check=False, **streams)


def close_standard_output() -> None:
    os.close(1)


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["table", "json"])
def test_nobody_to_print_to(options: list[str]) -> None:
    done = run(["autoencoder", "--epochs", "10", *options], preexec_fn=close_standard_output)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["table", "json"])
def test_a_reader_that_has_gone(options: list[str]) -> None:
    """As in `backpropc autoencoder | head -1`: no word and no traceback."""
    end_to_read, end_to_write = os.pipe()
    os.close(end_to_read)
    with os.fdopen(end_to_write, "w") as pipe:
        done = run(["autoencoder", *options], stdout=pipe)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("options", [[], ["--json"]], ids=["table", "json"])
def test_a_full_disk(options: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = run(["autoencoder", *options], stdout=full)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_disk_for_what_is_buffered(tmp_path: Path) -> None:
    """The interpreter does not fail once more at exit, in its own words and with its own status."""
    net = tmp_path / "net.safetensors"
    bp.Network([2, 2], seed=0).save(net)
    with open("/dev/full", "w") as full:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        done = run(["info", str(net)], stdout=full, env=environment)
    assert (done.returncode, done.stderr) == (1, "backpropc: No space left on device\n")


@pytest.mark.skipif(sys.platform == "win32", reason="no /dev/stdout")
def test_a_pipe_is_no_file_to_write(tmp_path: Path) -> None:
    net = tmp_path / "net.safetensors"
    bp.Network([2, 2], seed=0).save(net)
    done = run(["export", "--to", "c", str(net), "-o", "/dev/stdout"], stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "backpropc: /dev/stdout: What is there is not a regular file\n"


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info", "nowhere.safetensors"]) == 1
    assert capsys.readouterr().err == "backpropc: nowhere.safetensors: No such file or directory\n"


def test_what_is_no_file_of_a_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "table.csv").write_text("a,b\n1,2\n" * 9)
    assert cli.main(["info", str(tmp_path / "table.csv")]) == 1
    assert capsys.readouterr().err.endswith("is it a safetensors file?\n")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_a_terminal(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line but an example is longer than the terminal's."""
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        cli.main([*command.split(), "--help"])
    text = capsys.readouterr().out
    assert all(len(line) <= 80 for line in text.splitlines() if not line.startswith("  backpropc"))
    assert "%(" not in text


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to others there")
def test_ctrl_c() -> None:
    """130, as shells have it, and one line. What was printed before has come out, also into a pipe."""
    with subprocess.Popen([*COMMAND, *FOREVER], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            while "reconstructed" not in process.stdout.readline():
                pass
            process.send_signal(signal.SIGINT)
            _, complaint = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert complaint.strip() == "backpropc: interrupted"


# --- wrong from the start ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["BACKPROPC_ISA", "BACKPROPC_NUM_THREADS"])
@pytest.mark.parametrize("how", [["-m", "backpropc"], ["-mbackpropc"], ["-X", "dev", "-m", "backpropc"]], ids=str)
def test_a_wrong_environment(how: list[str], name: str) -> None:
    """1, and one line: the package cannot be imported, before there is a command to say so."""
    command = [sys.executable, *how, "autoencoder", "--epochs", "5"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, name: "foo"}, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"backpropc: {name} is 'foo'; it must be")


def test_a_wrong_environment_of_another_program(tmp_path: Path) -> None:
    """There it is an ImportError that can be caught, also for a script that looks like our command."""
    script = tmp_path / "backpropc_user.py"
    script.write_text("try:\n    import backpropc\nexcept ImportError:\n    print('caught')\n")
    done = subprocess.run(
        [sys.executable, script, "backpropc"],
        capture_output=True,
        text=True,
        env={**os.environ, "BACKPROPC_ISA": "foo"},
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "caught\n", "")


def test_the_installed_command(monkeypatch: pytest.MonkeyPatch) -> None:
    for argv, of_process, ours in (
        (["/bin/backpropc", "info"], ["python", "/bin/backpropc", "info"], True),
        (["-m", "info"], ["python", "-m", "backpropc", "info"], True),
        (["-m", "backpropc"], ["python", "-m", "pytest", "backpropc"], False),
        (["-c"], ["python", "-c", "import backpropc"], False),
        ([], ["python"], False),
    ):
        monkeypatch.setattr(sys, "argv", argv)
        monkeypatch.setattr(sys, "orig_argv", of_process)
        assert is_the_command() is ours, of_process


@pytest.mark.skipif(sys.platform == "win32", reason="a script of bash")
@pytest.mark.parametrize("arguments", [["nope"], ["lint", "--nope"], ["docs", "--nope"]], ids=" ".join)
def test_wrong_usage_of_dev(arguments: list[str]) -> None:
    done = subprocess.run([ROOT / "dev", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert arguments[-1] in done.stderr
