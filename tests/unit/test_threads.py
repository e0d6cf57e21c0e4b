"""The number of threads: its Python face, the environment, forks, and that importing starts nothing."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import backpropc as bp

# What the scripts below share. The network is wide enough for the core to use threads where it may.
PRELUDE = """
import os, sys, threading
import numpy as np
import backpropc as bp

def train(epochs=1):
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(256, 300)), rng.normal(size=(256, 200))
    net = bp.Network([300, 400, 200], "tanh", seed=0)
    net.fit(x, t, loss="mean_squared_error", optimizer=bp.SGD(0.01), batch_size=128, epochs=epochs, seed=0)
    return net.parameters.tobytes()

def exit_code_of_child(work):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if work() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""


def run(script: str, prelude: str = PRELUDE, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script in an interpreter of its own, where NumPy's BLAS has no threads to be counted."""
    inherited = {name: value for name, value in os.environ.items() if name != "BACKPROPC_NUM_THREADS"}
    return subprocess.run(
        [sys.executable, "-c", prelude + script],
        capture_output=True,
        text=True,
        timeout=120,
        env={**inherited, "OPENBLAS_NUM_THREADS": "1", **environment},
    )


def output_of(script: str, **environment: str) -> str:
    done = run(script, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# --- the number -------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _number_restored() -> Iterator[None]:
    before = bp.get_num_threads()
    yield
    bp.set_num_threads(before)


@pytest.mark.parametrize("n", [1, 2, 7, 1024, np.int64(3)])
def test_set_and_get(n: int) -> None:
    bp.set_num_threads(n)
    assert bp.get_num_threads() == n


@pytest.mark.parametrize("set_number", [bp.set_num_threads, lambda n: bp.num_threads(n).__enter__()])
@pytest.mark.parametrize(
    ("n", "error", "message"),
    [
        (0, ValueError, "n is 0; it must be at least 1"),
        (-3, ValueError, "n is -3; it must be at least 1"),
        (1025, ValueError, "n is 1025; it must be at most 1024"),
        (2**70, ValueError, f"n is {2**70}; it must be at most 1024"),
        (2.0, TypeError, "n is 2.0; it must be an integer"),
        (True, TypeError, "n is True; it must be an integer"),
        ("2", TypeError, "n is '2'; it must be an integer"),
        (None, TypeError, "n is None; it must be an integer"),
    ],
)
def test_wrong_numbers(set_number: Callable[[object], object], n: object, error: type[Exception], message: str) -> None:
    bp.set_num_threads(5)
    with pytest.raises(error) as caught:
        set_number(n)
    assert str(caught.value) == message
    assert bp.get_num_threads() == 5


def test_context_manager_restores() -> None:
    bp.set_num_threads(3)
    with bp.num_threads(5):
        assert bp.get_num_threads() == 5
        with bp.num_threads(1):
            assert bp.get_num_threads() == 1
        assert bp.get_num_threads() == 5
    assert bp.get_num_threads() == 3


def test_context_manager_restores_after_an_exception() -> None:
    bp.set_num_threads(3)
    with pytest.raises(KeyError), bp.num_threads(5):
        raise KeyError
    assert bp.get_num_threads() == 3


def test_number_is_of_the_process() -> None:
    thread = threading.Thread(target=bp.set_num_threads, args=(6,))
    thread.start()
    thread.join()
    assert bp.get_num_threads() == 6


def test_show_config(capsys: pytest.CaptureFixture[str]) -> None:
    bp.set_num_threads(3)
    bp.show_config()
    assert "threads: 3" in capsys.readouterr().out.splitlines()


# --- the environment --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["1", "2", "1024", "007"])
def test_environment_variable(value: str) -> None:
    assert int(output_of("print(bp.get_num_threads())", BACKPROPC_NUM_THREADS=value)) == int(value)


@pytest.mark.parametrize("value", ["0", "-1", "1025", "two", "2.0", " 2", "2 ", "+2", "0x2", "99999999999999999999"])
def test_wrong_environment_variable(value: str) -> None:
    done = run("import backpropc", prelude="", BACKPROPC_NUM_THREADS=value)
    assert done.returncode == 1
    message = f"BACKPROPC_NUM_THREADS is '{value}'; it must be a whole number from 1 to 1024"
    assert done.stderr.splitlines()[-1] == f"ImportError: {message}"


def test_empty_environment_variable_is_none() -> None:
    number = "print(bp.get_num_threads())"
    assert output_of(number, BACKPROPC_NUM_THREADS="") == output_of(number)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs an affinity to set")
def test_default_respects_affinity() -> None:
    one = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    done = run(one + "import backpropc as bp; print(bp.get_num_threads())", prelude="")
    assert done.stdout.strip() == "1", done.stderr


def test_default_is_no_more_than_the_processors() -> None:
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert 1 <= int(output_of("print(bp.get_num_threads())")) <= (processors or 1)


# --- threads and processes --------------------------------------------------------------------------------------------


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="needs Linux to count threads")
def test_import_and_setting_start_nothing() -> None:
    counts = output_of(
        """
count = lambda: len(os.listdir("/proc/self/task"))
print(count())
bp.set_num_threads(8)
print(count())
with bp.num_threads(1):
    train()
print(count())
"""
    )
    assert counts.split() == ["1", "1", "1"]


def test_same_bits_for_every_number() -> None:
    digests = output_of(
        """
import hashlib
for n in (1, 2, 3, 7):
    with bp.num_threads(n):
        print(hashlib.sha256(train(epochs=2)).hexdigest())
"""
    ).split()
    assert len(digests) == 4
    assert len(set(digests)) == 1


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@needs_fork
def test_fork_after_use() -> None:
    codes = output_of(
        """
bp.set_num_threads(3)
want = train()
print(exit_code_of_child(lambda: train() == want and bp.get_num_threads() == 3))
print(exit_code_of_child(lambda: exit_code_of_child(lambda: train() == want) == 0 and train() == want))
print(0 if train() == want else 1)
"""
    )
    assert codes.split() == ["0", "0", "0"]


@needs_fork
def test_fork_while_other_threads_train() -> None:
    codes = output_of(
        """
bp.set_num_threads(2)
want = train()
ended = threading.Event()
def keep_training():
    while not ended.is_set():
        train()
threads = [threading.Thread(target=keep_training) for _ in range(2)]
for thread in threads:
    thread.start()
print(*(exit_code_of_child(lambda: train() == want) for _ in range(10)))
ended.set()
for thread in threads:
    thread.join()
"""
    )
    assert codes.split() == ["0"] * 10


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_multiprocessing(method: str, tmp_path: Path) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no start method {method} here")
    script = tmp_path / "script.py"
    script.write_text(
        PRELUDE
        + f"""
import multiprocessing
if __name__ == "__main__":
    bp.set_num_threads(2)
    want = train()
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        print(pool.map(train, [1] * 4) == [want] * 4)
"""
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "True", done.stderr


WORKERS = {
    "joblib's loky": """
    import joblib
    with joblib.parallel_config("loky", n_jobs=2):
        results = joblib.Parallel()(joblib.delayed(train)(1) for _ in range(4))
""",
    "joblib's threads": """
    import joblib
    with joblib.parallel_config("threading", n_jobs=3):
        results = joblib.Parallel()(joblib.delayed(train)(1) for _ in range(6))
""",
    "Dask's processes": """
    from distributed import Client
    with Client(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as client:
        results = client.gather(client.map(train, [1] * 4, pure=False))
""",
    "Dask's threads": """
    from distributed import Client
    with Client(n_workers=1, threads_per_worker=3, processes=False, dashboard_address=None) as client:
        results = client.gather(client.map(train, [1] * 6, pure=False))
""",
    "an executor in a forked child": """
    from concurrent.futures import ThreadPoolExecutor
    def work():
        with ThreadPoolExecutor(3) as pool:
            return list(pool.map(train, [1] * 6)) == [want] * 6
    results = [want if exit_code_of_child(work) == 0 else b""]
""",
}


@pytest.mark.parametrize("name", WORKERS)
def test_workers_of_others_train_to_the_same_bits(name: str, tmp_path: Path) -> None:
    """Also where the parent's pool has been at work, and what is trained is sent as a function."""
    if "fork" in name and not hasattr(os, "fork"):
        pytest.skip("needs fork")
    script = tmp_path / "script.py"
    script.write_text(
        PRELUDE
        + f"""
if __name__ == "__main__":
    bp.set_num_threads(2)
    want = train()
    {WORKERS[name].strip()}
    print(set(results) == {{want}})
"""
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.stdout.strip() == "True", done.stderr


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs signals for threads")
def test_signals_to_threads_that_train() -> None:
    """Python's handlers run in the main thread: the training of another goes on to the same bits."""
    said = output_of(
        """
import signal, time
bp.set_num_threads(2)
want, results, seen = train(30), [], []
signal.signal(signal.SIGUSR1, lambda *_: seen.append(threading.current_thread() is threading.main_thread()))
threads = [threading.Thread(target=lambda: results.append(train(30))) for _ in range(2)]
for thread in threads:
    thread.start()
while any(thread.is_alive() for thread in threads):
    for thread in threads:
        if thread.is_alive():
            signal.pthread_kill(thread.ident, signal.SIGUSR1)
    time.sleep(0.001)
signal.signal(signal.SIGINT, signal.default_int_handler)
interrupted = []
last = threading.Thread(target=lambda: results.append(train(30)))
last.start()
while len(results) < 3:  # not join: interrupted, some versions of it take the thread for ended
    try:
        if not interrupted:
            signal.pthread_kill(last.ident, signal.SIGINT)
        time.sleep(0.01)
    except KeyboardInterrupt:
        interrupted.append(1)
last.join()
print(results == [want] * 3, len(seen) > 0 and all(seen), len(interrupted) > 0)
"""
    )
    assert said == "True True True"


def test_two_threads_at_one_trainer(tmp_path: Path) -> None:
    """One is refused, whatever it asks for, and the other's training is as if it were alone."""
    said = output_of(
        f"""
sys.argv[1:] = [{str(tmp_path / "file")!r}]
def make():
    return bp.Trainer(bp.Network([30, 40, 20], "tanh", seed=0), optimizer=bp.Adam(), batch_size=8, seed=0)
rng = np.random.default_rng(0)
x, t = rng.normal(size=(256, 30)), rng.normal(size=(256, 20))
trainer, refused = make(), []
thread = threading.Thread(target=trainer.fit, args=(x, t, 4000))
thread.start()
while trainer.epoch < 2:
    pass
for call in (lambda: trainer.fit(x, t), lambda: trainer.step(x, t), lambda: trainer.network.predict(x),
             lambda: trainer.save(sys.argv[1])):
    try:
        call()
    except RuntimeError as error:
        refused.append("thread" in str(error))
alive = thread.is_alive()
thread.join()
twin = make()
twin.fit(x, t, 4000)
same = trainer.network.parameters.tobytes() == twin.network.parameters.tobytes()
print(alive, refused, same, os.path.exists(sys.argv[1]))
"""
    )
    assert said == "True [True, True, True, True] True False"


def test_a_mask_is_read_while_another_thread_replaces_it() -> None:
    """Not from memory that has been given back: no other value than the mask's is seen there, in thousands of looks."""
    said = output_of(
        """
sys.setswitchinterval(1e-6)
layer = bp.Network([30, 150], seed=0).layers[0]
mask, ended = np.ones((30, 150), bool), []
layer.mask = mask
def change():
    while not ended:
        layer.mask = mask
thread = threading.Thread(target=change)
thread.start()
try:
    print(all(layer.mask.all() for _ in range(5000)))
finally:
    ended.append(1)
    thread.join()
"""
    )
    assert said == "True"


ENDLESS = {
    "the core": "bp.Network([300, 400, 200], seed=0).fit(x, t, optimizer=bp.SGD(0.01), batch_size=128, epochs=10**9)",
    "own functions": "bp.Network([300, 20, 200], OWN, seed=0).fit(x, t, optimizer=bp.SGD(0.01), epochs=10**9)",
    "callbacks": """bp.Network([300, 20, 200], seed=0).fit(
        x, t, optimizer=bp.SGD(0.01), epochs=10**9, callbacks=[lambda state: None], metrics=["r2"])""",
    "checkpoints": """bp.Network([300, 20, 200], seed=0).fit(
        x, t, optimizer=bp.SGD(0.01), epochs=10**9, checkpoint=f"{sys.argv[1]}/{threading.get_ident()}")""",
    "a population": "bp.Population([300, 9, 200], 64, seed=0).fit(x, t, optimizer=bp.SGD(0.01), epochs=10**9)",
    "networks in turn": "bp.Population([300, 9, 200], 2, seed=0).fit(x, t, optimizer=bp.SGD(0.01), epochs=10**9)",
    "a search": "bp.search([300, 9, 200], {'optimizer': [bp.SGD(0.1), bp.SGD(0.01)]}, x, t, epochs=10**9)",
    "a method of Python's": "bp.Network([300, 20, 200], seed=0).fit(x, t, optimizer=bp.LBFGS(), epochs=10**9)",
    "an estimator": "estimator().fit(x, t)",
}


@pytest.mark.parametrize("name", ENDLESS)
def test_exit_while_daemon_threads_train(name: str, tmp_path: Path) -> None:
    """The interpreter ends when the main thread does, whatever the others are at: in time, and without a word."""
    imports = ""
    if name == "an estimator":
        pytest.importorskip("sklearn", minversion="1.9")
        imports = """
from backpropc.sklearn import MLPRegressor
estimator = lambda: MLPRegressor(hidden_layer_sizes=(20,), max_iter=10**9, tol=0, n_iter_no_change=10**9)
"""
    script = f"""
import time
{imports}
sys.argv[1:] = [{str(tmp_path)!r}]
OWN = bp.Activation(np.tanh, lambda z: 1 - np.tanh(z) ** 2, "own")
rng = np.random.default_rng(0)
x, t = rng.normal(size=(256, 300)), rng.uniform(size=(256, 200))
bp.set_num_threads(2)
train()
def endless():
    {ENDLESS[name]}
threads = [threading.Thread(target=endless, daemon=True) for _ in range(2)]
for thread in threads:
    thread.start()
time.sleep(0.5)
print(*(thread.is_alive() for thread in threads), time.time())
sys.stdout.flush()
"""
    done = run(script)
    ended = time.time()
    assert (done.returncode, done.stderr) == (0, "")
    first, second, left = done.stdout.split()
    assert (first, second) == ("True", "True"), "they had come to their end before"
    assert ended - float(left) < 20, "seconds that the end took"


def test_resizing_while_other_threads_train() -> None:
    same = output_of(
        """
want = train()
results = []
threads = [threading.Thread(target=lambda: results.extend(train() for _ in range(10))) for _ in range(2)]
for thread in threads:
    thread.start()
turn = 0
while any(thread.is_alive() for thread in threads):
    bp.set_num_threads(1 + turn % 7)
    turn += 1
print(results == [want] * 20)
"""
    )
    assert same == "True"
