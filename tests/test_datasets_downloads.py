"""Tests of downloads: mirrors, bad answers, interruptions, full disks, the progress bar.

A server on the loopback interface plays the servers of the real MNIST.
"""

import _thread
import contextlib
import gzip
import http.server
import importlib.util
import io
import pickle
import re
import subprocess
import sys
import threading

import pytest

from fastmlp import datasets
from helpers.datasets import (
    FIRST,
    GOOD,
    RAW,
    ZIPPED,
    check_small,
    flipped,
    small_source,
    use_stand_in,
    write,
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    return use_stand_in(tmp_path, monkeypatch)


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


try:
    import resource
except ImportError:  # Windows
    resource = None


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
