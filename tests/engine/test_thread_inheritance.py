"""What worker threads have from their callers: processors, and the signals that they leave open."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

TASKS = Path("/proc/self/task")
FAULTS = {
    signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGSYS
}  # fmt: skip

pytestmark = pytest.mark.skipif(not TASKS.exists(), reason="what threads inherit is read from Linux's /proc")
needs_two = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="needs two processors"
)


def run(script, *arguments):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


# The file is cut to its first half: of a batch, a slab or an array that two threads share, the second one's.
TRUNCATION = """
    import faulthandler, os, sys
    import numpy as np
    from fastmlp import MLPRegressor, Network, Trainer
    from fastmlp.callbacks import EveryNSteps
    from fastmlp.layers import Dense

    faulthandler.enable()
    path, entry, n_threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    n = 256 if entry in ("lbfgs", "gradients") else 4096  # rows of a page each
    X = np.memmap(path, dtype=np.float32, mode="w+", shape=(n, 1024))
    X[:] = np.random.default_rng(0).random(X.shape, dtype=np.float32)
    y = np.asarray(X[:, :2].sum(axis=1))
    network = Network([Dense(8), Dense(1, "identity")], 1024, n_threads=n_threads, random_state=0)

    def cut(event=None):
        os.truncate(path, n // 2 * 4096)

    def train_with(**options):
        Trainer(network, "squared_error", shuffle=False, **options).fit(X, y, epochs=1000)

    if entry == "predict":
        cut()
        network.predict(X)
    elif entry == "predict_plain":
        cut()
        network.predict(np.asarray(X))
    elif entry == "lbfgs":
        train_with(optimizer="lbfgs", callbacks=[cut])
    elif entry == "epochs":
        train_with(batch_size=4096, callbacks=[cut])
    elif entry == "steps":
        train_with(batch_size=1024, callbacks=[EveryNSteps(2, cut)])
    elif entry == "estimator":
        MLPRegressor(hidden_layer_sizes=(8,), n_threads=n_threads, callbacks=[cut], tol=0).fit(X, y)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems fill what a map has lost with zeros")
@pytest.mark.parametrize(
    ("entry", "n_threads"),
    [
        ("predict", 1),
        ("predict", 2),
        ("predict_plain", 2),
        ("lbfgs", 2),
        ("epochs", 1),
        ("steps", 2),
        ("estimator", 2),
    ],
)
def test_a_truncated_memory_map_ends_the_process_with_a_trace(entry, n_threads, tmp_path):
    done = run(TRUNCATION, tmp_path / "X", entry, n_threads)
    assert done.returncode == -signal.SIGBUS, done.stderr
    # A second thread's fault may end the process while the first one's trace is being written.
    assert done.stderr.startswith("Fatal Python error: ")
    if n_threads == 1:
        assert "Bus error" in done.stderr
        assert "in <module>" in done.stderr


# In a process of its own: tests before this one may have left threads.
SIGNALS = """
    import os, signal, sys, threading
    import numpy as np
    from pathlib import Path
    from fastmlp import Network
    from fastmlp.layers import Dense

    blocked_by_caller = {int(one) for one in sys.argv[1:]}
    network = Network([Dense(300), Dense(200)], 300, random_state=0, n_threads=2)
    X, y = np.ones((20_000, 300), np.float32), np.ones((20_000, 200), np.float32)

    def work():
        signal.pthread_sigmask(signal.SIG_BLOCK, blocked_by_caller)
        for _ in range(3):
            network.gradients(X, y, "squared_error")

    before, found = set(os.listdir("/proc/self/task")), set()
    caller = threading.Thread(target=work)
    caller.start()
    while caller.is_alive():
        for task in set(os.listdir("/proc/self/task")) - before - {str(caller.native_id)}:
            try:
                lines = Path(f"/proc/self/task/{task}/status").read_text().splitlines()
            except OSError:  # it has ended
                continue
            if "Threads:\\t0" in lines:  # it is ending, and its signals are no longer known
                continue
            blocked = int(next(line for line in lines if line.startswith("SigBlk")).split()[1], 16)
            found.add(frozenset(int(one) for one in signal.Signals if not blocked >> (one - 1) & 1))
    print([sorted(one - {signal.SIGKILL, signal.SIGSTOP}) for one in found])
"""


@needs_two
@pytest.mark.parametrize("blocked_by_caller", [set(), {signal.SIGABRT, signal.SIGINT}], ids=str)
def test_workers_block_all_signals_but_the_faults_that_their_caller_has_open(blocked_by_caller):
    done = run(SIGNALS, *map(int, blocked_by_caller))
    assert done.returncode == 0, done.stderr
    expected = sorted(map(int, FAULTS - blocked_by_caller))
    found = [one for one in json.loads(done.stdout) if one]  # none are open as a thread begins and ends
    assert expected in found
    assert all(set(one) <= set(expected) for one in found)


# One thread of Python after another, and one that moves itself: workers that linger are taken over.
AFFINITY = """
    import os, sys, threading, time
    import numpy as np
    from pathlib import Path
    from fastmlp.engine import native
    from fastmlp.engine.plan import aligned_zeros, make_plan

    first, second = sorted(os.sched_getaffinity(0))[:2]
    masks = [{first}, {second}, {first, second}, {second}, {first, second}, {first}]
    plan = make_plan(400, (300, 2), ("relu", "identity"), "float32", "tile")
    parameters, d = (aligned_zeros(plan.n_parameters, plan.dtype) for _ in range(2))
    X, y = np.ones((12_000, 400), np.float32), np.ones((12_000, 2), np.float32)
    ours, seen, now, is_over = {str(threading.get_native_id())}, {}, [None], threading.Event()

    def look():
        ours.add(str(threading.get_native_id()))
        known = set(os.listdir("/proc/self/task"))
        started.set()
        while not is_over.wait(0.001):
            for task in set(os.listdir("/proc/self/task")) - known - ours:
                try:
                    status = Path(f"/proc/self/task/{task}/status").read_text()
                except OSError:
                    continue
                line = next(line for line in status.splitlines() if line.startswith("Cpus_allowed_list"))
                seen[now[0]] = line.split()[1]  # the last one counts

    def cpus(text):
        parts = [part.split("-") for part in text.split(",")]
        return {one for part in parts for one in range(int(part[0]), int(part[-1]) + 1)}

    def call(n):
        os.sched_setaffinity(0, masks[n])
        now[0] = n
        native.gradients(plan, parameters, X, None, d, None, loss="squared_error", targets=y, n_threads=2)

    def call_as(n):
        ours.add(str(threading.get_native_id()))
        call(n)

    started = threading.Event()
    threading.Thread(target=look).start()
    started.wait()
    found = []
    for n in range(len(masks)):
        for _ in range(50):  # until the worker was looked at after it had begun to work
            if sys.argv[1] == "moves":
                call(n)
            else:
                caller = threading.Thread(target=call_as, args=(n,))
                caller.start()
                caller.join()
            if n in seen and cpus(seen[n]) == masks[n]:
                break
        found.append(cpus(seen[n]))  # before the next caller begins, by the processors that it inherits
    is_over.set()

    assert found == masks, f"{found} of callers with {masks}"
"""


@needs_two
@pytest.mark.parametrize("caller", ["moves", "changes"])
def test_a_worker_runs_where_its_caller_may(caller):
    done = run(AFFINITY, caller)
    assert done.returncode == 0, done.stderr
