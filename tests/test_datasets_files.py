"""Tests of where data files are looked for on this machine, and of those that are damaged."""

import contextlib
import gzip
import hashlib
import re
import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastmlp import datasets
from helpers.datasets import FIRST, GOOD, RAW, ZIPPED, check_small, flipped, small_source, use_stand_in, write


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    return use_stand_in(tmp_path, monkeypatch)


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
