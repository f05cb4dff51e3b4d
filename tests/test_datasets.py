"""Tests of fastmlp.datasets.

A small stand-in takes the place of MNIST in the table of sources, with the files and the SHA-256 of this
module's own writing; a server on the loopback interface plays the servers of the real one. The tests of
the real data sets run if FASTMLP_DATA names a folder that has them.
"""

import _thread
import contextlib
import doctest
import gzip
import hashlib
import http.server
import importlib.util
import io
import os
import pickle
import re
import struct
import subprocess
import sys
import tempfile
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastmlp import datasets

try:
    import resource
except ImportError:  # Windows
    resource = None

REAL_DATA = os.environ.get("FASTMLP_DATA")

# ----------------------------------------------------------------------------------------------- the stand-in


def idx(values):
    """Return the bytes of an IDX file of unsigned bytes."""
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    return header + values.tobytes()


def small_arrays():
    """Return 30 + 10 images of 5 x 7 pixels and their labels; random, so that gzip cannot shrink them."""
    rng = np.random.default_rng(0)
    arrays = {}
    for part, n in ("train", 30), ("t10k", 10):
        arrays[f"{part}-images-idx3-ubyte"] = rng.integers(256, size=(n, 5, 7), dtype=np.uint8)
        arrays[f"{part}-labels-idx1-ubyte"] = rng.integers(10, size=n, dtype=np.uint8)
    return arrays


ARRAYS = small_arrays()
RAW = {name: idx(values) for name, values in ARRAYS.items()}
ZIPPED = {f"{name}.gz": gzip.compress(raw) for name, raw in RAW.items()}
FIRST = "train-images-idx3-ubyte"


def small_source(urls=(), system_folders=()):
    """Return the stand-in for MNIST's row of the table."""
    files = tuple(
        datasets._IdxFile(name, values.shape, hashlib.sha256(RAW[name]).hexdigest())
        for name, values in ARRAYS.items()
    )
    return datasets._Source("MNIST", tuple(urls), tuple(system_folders), files)


def check_small(data):
    """Assert that this is the stand-in, whole."""
    for values, expected in zip(data, ARRAYS.values(), strict=True):
        assert np.array_equal(values, expected.reshape(len(expected), -1).squeeze())
    for X, y in (data.X_train, data.y_train), (data.X_test, data.y_test):
        assert X.dtype == np.uint8
        assert X.shape == (len(y), 35)
        assert X.flags.c_contiguous
        assert X.flags.writeable
        assert y.dtype == np.int64
        assert y.shape == (len(y),)


def write(folder, files):
    """Write these files (a dictionary from names to bytes) into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Put the stand-in into the table, hide the machine's own folders, and return the cache's folder."""
    monkeypatch.setitem(datasets._SOURCES, "mnist", small_source())
    monkeypatch.delenv("FASTMLP_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "xdg" / "fastmlp" / "mnist"


# ------------------------------------------------------------------------------------------ digits, real data


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    data = datasets.load_digits()
    assert data._fields == ("X_train", "y_train", "X_test", "y_test")
    assert data.X_train.shape == (1437, 64)
    assert data.X_test.shape == (360, 64)
    for X, y in (data.X_train, data.y_train), (data.X_test, data.y_test):
        assert X.dtype == np.uint8
        assert X.flags.c_contiguous
        assert y.dtype == np.int64
    ours = np.vstack([np.c_[data.X_train, data.y_train], np.c_[data.X_test, data.y_test]])
    theirs = np.c_[load_digits(return_X_y=True)]
    assert sorted(ours.tolist()) == sorted(theirs.tolist())


def test_digits_split_is_stratified_and_always_the_same():
    data = datasets.load_digits()
    np.random.seed(1)  # the split has nothing to do with NumPy's global state
    for values, same in zip(data, datasets.load_digits(), strict=True):
        assert np.array_equal(values, same)
    shares = np.bincount(data.y_test) / np.bincount(np.r_[data.y_train, data.y_test])
    assert np.allclose(shares, 0.2, atol=0.005)
    # Pinned: results that were published on this split stay comparable.
    assert data.y_train[:10].tolist() == [3, 9, 1, 3, 1, 9, 4, 4, 2, 8]
    assert data.y_test[:10].tolist() == [7, 6, 3, 7, 7, 3, 2, 8, 9, 3]


def test_examples():
    failed, attempted = doctest.testmod(datasets)
    assert failed == 0
    assert attempted > 0


REAL = {
    "mnist": {
        "load": datasets.load_mnist,
        "first": [5, 0, 4, 1, 9, 2, 1, 3, 1, 4],
        "first_test": [7, 2, 1, 0, 4, 1, 4, 9, 5, 9],
        "counts": [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
        "counts_test": [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
        "mean": 0.1307,
    },
    "fashion-mnist": {
        "load": datasets.load_fashion_mnist,
        "first": [9, 0, 0, 3, 0, 2, 7, 2, 5, 5],
        "first_test": [9, 2, 1, 1, 6, 1, 4, 6, 5, 7],
        "counts": [6000] * 10,
        "counts_test": [1000] * 10,
        "mean": 0.2860,
    },
}
REAL_SOURCES = dict(datasets._SOURCES)


@pytest.mark.skipif(
    not REAL_DATA,
    reason="set FASTMLP_DATA to a folder with mnist/ and fashion-mnist/, four IDX files in each",
)
@pytest.mark.parametrize("name", REAL)
def test_real_data(name, monkeypatch):
    monkeypatch.setitem(datasets._SOURCES, name, REAL_SOURCES[name]._replace(urls=()))
    monkeypatch.setenv("FASTMLP_DATA", REAL_DATA)
    real = REAL[name]
    data = real["load"]()
    assert data.X_train.shape == (60000, 784)
    assert data.X_test.shape == (10000, 784)
    for X, y in (data.X_train, data.y_train), (data.X_test, data.y_test):
        assert X.dtype == np.uint8
        assert X.flags.c_contiguous
        assert y.dtype == np.int64
    assert data.y_train[:10].tolist() == real["first"]
    assert data.y_test[:10].tolist() == real["first_test"]
    assert np.bincount(data.y_train).tolist() == real["counts"]
    assert np.bincount(data.y_test).tolist() == real["counts_test"]
    # The mean by which both are standardised everywhere, known to four digits.
    assert data.X_train.mean() / 255 == pytest.approx(real["mean"], abs=5e-5)


# -------------------------------------------------------------------------------------- files on this machine


@pytest.mark.parametrize("files", [RAW, ZIPPED], ids=["raw", "gzipped"])
@pytest.mark.parametrize("below", [".", "mnist"])
@pytest.mark.parametrize("kind", [str, Path])
def test_data_home(tmp_path, files, below, kind):
    write(tmp_path / "home" / below, files)
    check_small(datasets.load_mnist(kind(tmp_path / "home")))


def test_tilde_in_data_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    write(tmp_path / "home", RAW)
    check_small(datasets.load_mnist("~/home"))


def test_environment_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTMLP_DATA", str(tmp_path / "shared"))
    write(tmp_path / "shared" / "mnist", ZIPPED)
    check_small(datasets.load_mnist())


def test_system_folder(tmp_path, monkeypatch):
    monkeypatch.setitem(datasets._SOURCES, "mnist", small_source(system_folders=[str(tmp_path / "system")]))
    write(tmp_path / "system", ZIPPED)
    check_small(datasets.load_mnist())


def test_cache(cache):
    write(cache, ZIPPED)
    check_small(datasets.load_mnist())


@pytest.mark.parametrize("xdg", [None, "", "relative"])
def test_cache_without_xdg_cache_home(tmp_path, monkeypatch, xdg):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    if xdg is None:
        monkeypatch.delenv("XDG_CACHE_HOME")
    else:
        monkeypatch.setenv("XDG_CACHE_HOME", xdg)
    write(tmp_path / ".cache" / "fastmlp" / "mnist", ZIPPED)
    check_small(datasets.load_mnist())


def test_folders_are_searched_in_order(tmp_path, monkeypatch, cache):
    system = tmp_path / "system"
    monkeypatch.setitem(datasets._SOURCES, "mnist", small_source(system_folders=[str(system)]))
    monkeypatch.setenv("FASTMLP_DATA", str(tmp_path / "shared"))
    home = tmp_path / "home"
    folders = [home / "mnist", home, tmp_path / "shared" / "mnist", system, cache]
    for folder in folders:
        write(folder, dict.fromkeys(ZIPPED, b"not IDX"))
    for folder in folders:  # the first folder is the one complained about, until its files are good
        with pytest.raises(ValueError, match=re.escape(f"{folder / FIRST}.gz is damaged")):
            datasets.load_mnist(home)
        for name in ZIPPED:
            (folder / name).unlink()
    with pytest.raises(ConnectionError) as error:
        datasets.load_mnist(home)
    for folder in folders:
        assert str(folder) in str(error.value)


def test_files_may_be_spread_over_the_folders(tmp_path, monkeypatch, cache):
    monkeypatch.setenv("FASTMLP_DATA", str(tmp_path / "shared"))
    places = tmp_path / "home", tmp_path / "home" / "mnist", tmp_path / "shared" / "mnist", cache
    for folder, (name, content) in zip(places, ZIPPED.items(), strict=True):
        write(folder, {name: content})
    check_small(datasets.load_mnist(tmp_path / "home"))


def test_both_sets_below_one_data_home(tmp_path, monkeypatch):
    """The files of both have the same names; those in a set's own folder come first."""
    monkeypatch.setitem(datasets._SOURCES, "fashion-mnist", small_source()._replace(title="Fashion-MNIST"))
    write(tmp_path, dict.fromkeys(ZIPPED, b"another set"))
    write(tmp_path / "mnist", ZIPPED)
    check_small(datasets.load_mnist(tmp_path))
    with pytest.raises(ValueError, match="is damaged, or not Fashion-MNIST"):
        datasets.load_fashion_mnist(tmp_path)


def test_loading_twice_gives_independent_arrays(cache):
    write(cache, RAW)
    datasets.load_mnist().X_train.fill(0)
    check_small(datasets.load_mnist())


def test_unzipped_content_under_the_name_of_a_zipped_file(cache):
    write(cache, {f"{name}.gz": raw for name, raw in RAW.items()})
    check_small(datasets.load_mnist())


def test_data_home_that_is_a_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"")
    message = f"data_home={str(path)!r} is a file; it must be a folder"
    with pytest.raises(ValueError, match=re.escape(message)):
        datasets.load_mnist(path)


def flipped(content, position):
    """Return these bytes with one bit changed."""
    changed = bytearray(content)
    changed[position] ^= 1
    return bytes(changed)


GOOD = RAW[FIRST]
DAMAGED = {
    "empty": (b"", r"begins with b'', not with b'\x00\x00\x08\x03'"),
    "web page": (b"<!DOCTYPE html>", r"begins with b'<!DO', not with b'\x00\x00\x08\x03'"),
    "magic": (flipped(GOOD, 2), r"begins with b'\x00\x00\t\x03', not with b'\x00\x00\x08\x03'"),
    "too short": (GOOD[:-1], "size is 1,065, not 1,066 bytes"),
    "too long": (GOOD + b"\0", "size is more, not 1,066 bytes"),
    "header": (flipped(GOOD, 7), f"not {hashlib.sha256(GOOD).hexdigest()}"),
    "value": (flipped(GOOD, -1), f"SHA-256 is {hashlib.sha256(flipped(GOOD, -1)).hexdigest()}, not "),
    "cut gzip": (gzip.compress(GOOD)[:-20], "cannot be unzipped (Compressed file ended"),
    "no checksum": (gzip.compress(GOOD)[:-8], "cannot be unzipped (Compressed file ended"),
    "gzip checksum": (flipped(gzip.compress(GOOD), -8), "cannot be unzipped (CRC check failed"),
    "gzip header only": (b"\x1f\x8b", "cannot be unzipped (Compressed file ended"),
    "gzip method": (flipped(gzip.compress(GOOD), 2), "cannot be unzipped (Unknown compression method"),
    "gzip block": (gzip.compress(GOOD)[:10] + b"\xff" * 50, "cannot be unzipped (Error -3"),
    "gzip of a page": (gzip.compress(b"<!DOCTYPE html>"), "begins with b'<!DO'"),
    "gzip too long": (gzip.compress(GOOD + b"\0"), "size is more, not 1,066 bytes"),
    "second member": (gzip.compress(GOOD) * 2, "size is more, not 1,066 bytes"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_file(cache, case):
    content, problem = DAMAGED[case]
    write(cache, ZIPPED | {f"{FIRST}.gz": content})
    message = f"{cache / FIRST}.gz is damaged, or not MNIST: it"
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        datasets.load_mnist()
    assert problem in str(error.value)
    assert str(error.value).endswith("; move it away to have it downloaded")


@settings(deadline=None)  # files are written, and disks may be slow
@given(data=st.data())
def test_no_damage_goes_unnoticed(data):
    """Whatever happens to a file, its content is whole (gzip has idle bytes), or a ValueError says so."""
    files = ZIPPED if data.draw(st.booleans(), label="zipped") else RAW
    name = data.draw(st.sampled_from(sorted(files)), label="name")
    content = bytearray(files[name])
    start = data.draw(st.integers(0, len(content)), label="start")
    stop = data.draw(st.integers(start, min(start + 20, len(content))), label="stop")
    content[start:stop] = data.draw(st.binary(max_size=20), label="replacement")
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), files | {name: bytes(content)})
        with contextlib.suppress(ValueError):
            check_small(datasets.load_mnist(folder))


def test_gzip_bomb_is_not_inflated(cache):
    write(cache, {f"{FIRST}.gz": gzip.compress(bytes(100_000_000))})
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="begins with"):
            datasets.load_mnist()
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


# -------------------------------------------------------------------------------------------------- downloads


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers from the server's dictionary `answers`, from paths to bytes or to functions of the handler."""

    def do_GET(self):
        """Note the request and answer it."""
        self.server.requests.append(self.path)
        answer = self.server.answers.get(self.path)
        if callable(answer):
            answer(self)
        elif answer is None:
            self.send_error(404)
        else:
            self.begin(len(answer))
            self.wfile.write(answer)

    def begin(self, n_bytes=None):
        """Send the header of a good answer."""
        self.send_response(200)
        if n_bytes is not None:
            self.send_header("Content-Length", str(n_bytes))
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def server(monkeypatch):
    """Serve the stand-in from ``/good/``, and make that its only address."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.url = f"http://127.0.0.1:{server.server_port}"
        server.answers = {f"/good/{name}": content for name, content in ZIPPED.items()}
        server.requests = []
        monkeypatch.setitem(datasets._SOURCES, "mnist", small_source([f"{server.url}/good/"]))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Terminal(io.StringIO):
    """A stderr that claims to be a terminal."""

    def isatty(self):
        """Return True."""
        return True


def contents(folder):
    """Return all files below a folder, as a dictionary from paths to bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_download_into_the_cache(server, cache, capsys):
    check_small(datasets.load_mnist())
    assert contents(cache) == ZIPPED
    assert server.requests == [f"/good/{name}" for name in ZIPPED]
    check_small(datasets.load_mnist())
    assert len(server.requests) == 4  # the second time, nothing was asked for
    assert capsys.readouterr() == ("", "")  # no progress bar where there is no terminal


def test_download_into_data_home(server, cache, tmp_path):
    home = tmp_path / "new" / "home"
    check_small(datasets.load_mnist(home))
    assert contents(home / "mnist") == ZIPPED
    assert not cache.exists()
    check_small(datasets.load_mnist(home))
    assert len(server.requests) == 4


def test_only_missing_files_are_downloaded(server, cache):
    there = f"{FIRST}.gz"
    write(cache, {there: ZIPPED[there]})
    check_small(datasets.load_mnist())
    assert contents(cache) == ZIPPED
    assert server.requests == [f"/good/{name}" for name in ZIPPED if name != there]


def test_server_that_sends_unzipped_files(server, cache):
    server.answers = {f"/good/{name}.gz": raw for name, raw in RAW.items()}
    check_small(datasets.load_mnist())
    check_small(datasets.load_mnist())
    assert len(server.requests) == 4


@pytest.mark.parametrize("stderr", [None, Terminal()], ids=["none", "terminal"])
def test_answer_without_a_length(server, monkeypatch, stderr):
    monkeypatch.setattr(sys, "stderr", stderr)

    def answer(handler):
        handler.begin()
        handler.wfile.write(ZIPPED[f"{FIRST}.gz"])

    server.answers[f"/good/{FIRST}.gz"] = answer
    check_small(datasets.load_mnist())


def truncate(handler):
    """Announce the whole file, and send half of it."""
    content = ZIPPED[f"{FIRST}.gz"]
    handler.begin(len(content))
    handler.wfile.write(content[: len(content) // 2])


def hang_up(handler):
    """Close the connection without an answer."""
    handler.close_connection = True


BAD_ANSWERS = {
    "missing": (None, "HTTP Error 404"),
    "failing": (lambda handler: handler.send_error(503), "HTTP Error 503"),
    "hanging up": (hang_up, "closed connection without response"),
    "not HTTP": (lambda handler: handler.wfile.write(b"220 mail.example\r\n\r\n"), "220 mail.example"),
    "truncated": (truncate, ""),
    "another file": (gzip.compress(flipped(GOOD, -1)), "its SHA-256 is "),
    "a web page": (b"<!DOCTYPE html>", "it begins with b'<!DO'"),
    "endless": (bytes(1_000_000), "it sends more than 1,066 bytes"),
    "gzip bomb": (gzip.compress(bytes(10_000_000)), "it begins with "),
}


@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_bad_answer(server, cache, case):
    answer, problem = BAD_ANSWERS[case]
    server.answers[f"/good/{FIRST}.gz"] = answer
    with pytest.raises(ConnectionError) as error:
        datasets.load_mnist()
    message = str(error.value)
    assert f"{server.url}/good/{FIRST}.gz: " in message
    assert problem in message
    assert message.endswith(f": put the files {', '.join(ZIPPED)} into {cache}")
    assert not cache.exists()


@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_next_mirror_after_a_bad_answer(server, cache, monkeypatch, case):
    monkeypatch.setitem(
        datasets._SOURCES, "mnist", small_source([f"{server.url}/bad/", f"{server.url}/good/"])
    )
    server.answers[f"/bad/{FIRST}.gz"] = BAD_ANSWERS[case][0]
    check_small(datasets.load_mnist())
    assert contents(cache) == ZIPPED


def test_server_gone(tmp_path, monkeypatch):
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as gone:
        urls = [f"http://127.0.0.1:{gone.server_port}/{mirror}/" for mirror in "ab"]
    monkeypatch.setitem(datasets._SOURCES, "mnist", small_source(urls))
    home = tmp_path / "home"
    with pytest.raises(ConnectionError) as error:
        datasets.load_mnist(home)
    message = str(error.value)
    for expected in ["MNIST is incomplete in ", *urls, *ZIPPED, f" into {home / 'mnist'}"]:
        assert expected in message
    assert "\n" not in message
    assert not home.exists()


def test_silent_server_is_given_up(server, cache, monkeypatch):
    done = threading.Event()
    server.answers[f"/good/{FIRST}.gz"] = lambda handler: done.wait(60)
    monkeypatch.setattr(datasets, "_TIMEOUT", 0.05)
    try:
        with pytest.raises(ConnectionError, match="timed out"):
            datasets.load_mnist()
    finally:
        done.set()
    assert not cache.exists()


def test_interrupted_download(server, cache):
    """Ctrl-C in the middle of a file keeps the files before it, and nothing of this one."""
    second = list(ZIPPED)[1]
    content = ZIPPED[second]

    def interrupt(handler):
        handler.begin(len(content))
        handler.wfile.write(content[:20])
        _thread.interrupt_main()  # before the rest is sent, so that the file is never complete when it comes
        handler.wfile.write(content[20:])

    server.answers[f"/good/{second}"] = interrupt
    with pytest.raises(KeyboardInterrupt):
        datasets.load_mnist()
    assert contents(cache) == {f"{FIRST}.gz": ZIPPED[f"{FIRST}.gz"]}

    server.answers[f"/good/{second}"] = content
    check_small(datasets.load_mnist())
    assert server.requests.count(f"/good/{FIRST}.gz") == 1


@contextlib.contextmanager
def file_size_limit(cache):
    """Let no write pass 500 bytes, as a disk that fills up in the middle of a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def folder_in_the_way(cache):
    """Put a folder where the file has to go, so that everything but the last step succeeds."""
    blocker = cache / f"{FIRST}.gz" / "occupied"
    blocker.mkdir(parents=True)
    yield
    blocker.rmdir()
    blocker.parent.rmdir()


@pytest.mark.parametrize("obstacle", [folder_in_the_way] + [file_size_limit] * (resource is not None))
def test_failing_write_leaves_nothing_behind(server, cache, obstacle):
    with obstacle(cache), pytest.raises(OSError, match=re.escape(str(cache))) as error:
        datasets.load_mnist()
    assert not isinstance(error.value, ConnectionError)  # no mirror is to blame, and no other is tried
    assert server.requests == [f"/good/{FIRST}.gz"]
    assert contents(cache) == {}
    check_small(datasets.load_mnist())


def test_two_processes_at_once(server, cache):
    both = threading.Barrier(2)
    for name, content in ZIPPED.items():

        def answer(handler, content=content):
            both.wait(60)  # each file is sent when both processes have asked for it
            handler.begin(len(content))
            handler.wfile.write(content)

        server.answers[f"/good/{name}"] = answer
    program = (
        "import pickle, sys\n"
        "from fastmlp import datasets\n"
        "datasets._SOURCES = pickle.load(sys.stdin.buffer)\n"
        "pickle.dump(tuple(datasets.load_mnist()), sys.stdout.buffer)\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    for process in processes:
        process.stdin.write(pickle.dumps(datasets._SOURCES))
        process.stdin.close()
    for process in processes:
        with process:
            check_small(datasets.Dataset(*pickle.loads(process.stdout.read())))
        assert process.returncode == 0
    assert len(server.requests) == 8
    assert contents(cache) == ZIPPED


@pytest.mark.parametrize("installed", [importlib.util.find_spec("rich") is not None, False])
def test_progress_bar_on_a_terminal(server, cache, monkeypatch, installed):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys, "stderr", Terminal())
    if not installed:
        monkeypatch.setitem(sys.modules, "rich.console", None)  # makes the import fail
    check_small(datasets.load_mnist())
    shown = sys.stderr.getvalue()
    if installed:
        assert all(name in shown for name in ZIPPED)
    else:
        assert shown == ""
    assert contents(cache) == ZIPPED
