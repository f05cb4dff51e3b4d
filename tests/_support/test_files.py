"""Tests of what a file is written over: links, modes, FIFOs and devices stay, and errors come early."""

import contextlib
import os
import resource
import socket
import stat
import subprocess
import threading

import pytest

from fastmlp._support.files import check_writable, replacing

OLD, NEW = b"the old content, which is longer", b"the new content"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path, content=NEW):
    check_writable(path)
    with replacing(path) as file:
        file.write(content)


@contextlib.contextmanager
def reader(path):
    """Yield a list to which all that is read from a FIFO is appended."""
    found = []

    def read():
        with open(path, "rb") as file:
            found.append(file.read())

    thread = threading.Thread(target=read)
    thread.start()
    yield found
    thread.join(60)


def make_old(path="old"):
    with open(path, "wb") as file:
        file.write(OLD)
    return path


def content_of(path):
    with open(path, "rb") as file:
        return file.read()


@contextlib.contextmanager
def another_user():
    """Be a user to whom not every file is writable."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


# ------------------------------------------------------------------------------------ what is no regular file


@pytest.mark.parametrize("through_a_link", [False, True])
def test_a_fifo_is_written_into(through_a_link):
    os.mkfifo("fifo")
    os.symlink("fifo", "link")
    with reader("fifo") as found:
        write("link" if through_a_link else "fifo")
    assert found == [NEW]
    assert stat.S_ISFIFO(os.stat("fifo").st_mode)
    assert os.path.islink("link")


def test_a_reader_that_leaves_is_an_error():
    os.mkfifo("fifo")
    opened = threading.Thread(target=lambda: os.close(os.open("fifo", os.O_RDONLY)))
    opened.start()
    with pytest.raises(BrokenPipeError, match="fifo"):
        write("fifo", bytes(1_000_000))
    opened.join()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a device")
def test_a_device_is_written_into():
    os.mknod("null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod("full", stat.S_IFCHR | 0o666, os.makedev(1, 7))
    try:
        descriptor = os.open("null", os.O_WRONLY)
    except PermissionError:
        pytest.skip("this file system has no devices")
    os.close(descriptor)
    write("null")
    with pytest.raises(OSError, match=r"No space left on device.*full"):
        write("full")
    assert all(stat.S_ISCHR(os.stat(name).st_mode) for name in ("null", "full"))


def test_an_open_descriptor_is_written_to_where_it_stands():
    descriptor = os.open("file", os.O_RDWR | os.O_CREAT)
    os.write(descriptor, OLD)
    os.symlink(f"/proc/self/fd/{descriptor}", "link")
    write(f"/proc/self/fd/{descriptor}")
    write("link")
    os.unlink("file")
    write(f"/proc/{os.getpid()}/fd/{descriptor}")
    assert os.pread(descriptor, 1000, 0) == OLD + 3 * NEW
    assert os.listdir() == ["link"]  # no "file (deleted)", which /proc calls it
    os.close(descriptor)


def test_another_processs_deleted_file_is_written_into():
    descriptor = os.open("file", os.O_RDWR | os.O_CREAT)
    os.unlink("file")
    with subprocess.Popen(["sleep", "60"], stdout=descriptor) as other:
        write(f"/proc/{other.pid}/fd/1")
        other.kill()
    assert os.pread(descriptor, 1000, 0) == NEW
    assert os.listdir() == []
    os.close(descriptor)


# ------------------------------------------------------------------------------------------------------ links


@pytest.mark.parametrize("exists", [False, True])
@pytest.mark.parametrize("absolute", [False, True])
def test_the_target_of_links_is_replaced(exists, absolute, folder):
    os.makedirs("other/deep")
    os.symlink("../../file", "other/deep/second")
    os.symlink(folder / "other/deep/second" if absolute else "other/deep/second", "first")
    if exists:
        os.chmod(make_old("file"), 0o640)
    write("first")
    assert content_of("file") == NEW
    assert os.path.islink("first")
    assert os.path.islink("other/deep/second")
    assert not exists or stat.S_IMODE(os.stat("file").st_mode) == 0o640
    assert sorted(os.listdir()) == ["file", "first", "other"]


def test_a_hard_link_shows_the_new_content_and_keeps_the_old_if_that_fails(monkeypatch):
    os.link(make_old(), "other")
    write("old")
    assert content_of("other") == NEW
    assert os.stat("old").st_nlink == 2

    def fail(*args):
        raise KeyboardInterrupt

    for content in (b"short", 100 * NEW):
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fail)
            with pytest.raises(KeyboardInterrupt):
                write("old", content)
        assert content_of("other") == NEW
    assert sorted(os.listdir()) == ["old", "other"]


def test_a_full_disk_keeps_the_content_of_a_hard_link():
    os.link(make_old(), "other")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, hard))  # no file may grow beyond this
    try:
        with pytest.raises(OSError, match=r"File too large.*old"):
            write("old", bytes(60))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert content_of("other") == OLD


# ------------------------------------------------------------------------------------------- modes and owners


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
def test_the_mode_is_kept(mode):
    before = os.umask(0o027)
    try:
        os.chmod(make_old(), mode)
        write("old")
        write("new")
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat("old").st_mode) == mode
    assert stat.S_IMODE(os.stat("new").st_mode) == 0o640
    assert content_of("old") == NEW


def test_what_is_secret_is_never_open_to_others():
    os.chmod(make_old(), 0o600)
    with replacing("old") as file:
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600


def test_the_time_is_that_of_writing():
    os.utime(make_old(), (1, 1))
    with replacing("old"):
        pass
    assert os.stat("old").st_mtime > 1e9


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
def test_owner_and_group_are_kept():
    os.chown(make_old(), 1234, 4321)
    write("old")
    assert (os.stat("old").st_uid, os.stat("old").st_gid) == (1234, 4321)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has files of others")
@pytest.mark.parametrize("sticky", [False, True])
def test_the_file_of_somebody_else_is_written_into(sticky):
    os.chmod(".", 0o1777 if sticky else 0o777)
    os.chmod(make_old(), 0o666)
    with another_user():
        write("old")
    assert content_of("old") == NEW
    assert os.stat("old").st_uid == 0


def test_extended_attributes_are_kept():
    make_old()
    try:
        os.setxattr("old", "user.kept", b"1")
    except OSError as error:
        pytest.skip(f"this file system has no extended attributes: {error}")
    write("old")
    assert os.getxattr("old", "user.kept") == b"1"


# ------------------------------------------------------------------------------------------------------ names


@pytest.mark.parametrize("exists", [False, True])
@pytest.mark.parametrize(
    "name",
    ["x" * 255, "界" * 80, "é" * 127, b"\xff\xfe.st", "\udcff", "two\nlines", " ", "~", "-", "[b]", "*"],
    ids=ascii,
)
def test_any_name_that_a_file_can_have(name, exists):
    if exists:
        make_old(name)
    write(name)
    assert content_of(name) == NEW
    assert os.listdir() == [os.fsdecode(name)]


# ----------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("", FileNotFoundError, "path is empty"),
        (".", IsADirectoryError, r"'\.' is a folder"),
        ("..", IsADirectoryError, r"'\.\.' is a folder"),
        ("folder", IsADirectoryError, "'folder' is a folder"),
        ("link to folder", IsADirectoryError, "'link to folder' is a folder"),
        ("new/", IsADirectoryError, "'new/' is a folder"),
        ("no/such/model", FileNotFoundError, "the folder 'no/such' does not exist"),
        ("link to nowhere", FileNotFoundError, "the folder 'no/such' does not exist"),
        ("file/model", NotADirectoryError, "'file' is not a folder"),
        ("loop", OSError, "Too many levels of symbolic links.*loop"),
        ("x" * 256, OSError, "File name too long"),
        ("界" * 86, OSError, "File name too long.*界"),
        ("socket", OSError, "'socket' is a socket"),
        ("x\0y", ValueError, "null character"),
        ("/proc/self/fd/12345", FileNotFoundError, "descriptor 12345 is not open"),
        (None, TypeError, "NoneType"),
    ],
    ids=ascii,
)
def test_what_cannot_be_written_is_refused_before_anything_is_done(path, error, message):
    os.mkdir("folder")
    make_old("file")
    os.symlink("folder", "link to folder")
    os.symlink("no/such/model", "link to nowhere")
    os.symlink("loop", "loop")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket")
        before = sorted(os.listdir())
        for function in (check_writable, write, lambda path: replacing(path).__enter__()):
            with pytest.raises(error, match=message):
                function(path)
    assert sorted(os.listdir()) == before


def test_a_descriptor_for_reading_is_refused():
    with open(make_old()) as file, pytest.raises(PermissionError, match="for reading only"):
        check_writable(f"/proc/self/fd/{file.fileno()}")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("read-only file", "'old' is not writable"),
        ("read-only hard link", "'old' is not writable"),
        ("read-only FIFO", "'old' is not writable"),
        ("unwritable folder", "the folder '.' is not writable"),
        ("unwritable folder of a link's target", "the folder 'closed' is not writable"),
    ],
)
def test_what_permissions_forbid_is_refused(kind, message, folder):
    os.chmod(".", 0o777)
    path = "old"
    if kind == "read-only FIFO":
        os.mkfifo("old", 0o444)
    else:
        os.chmod(make_old(), 0o666 if kind == "unwritable folder" else 0o444)
    if kind == "read-only hard link":
        os.link("old", "other")
    elif kind == "unwritable folder":
        path = "new"
        os.chmod(".", 0o555)
    elif kind == "unwritable folder of a link's target":
        path = "link"
        os.mkdir("closed", 0o555)
        os.symlink("closed/new", "link")
    before = sorted(os.listdir())
    try:
        for function in (check_writable, write):
            with another_user(), pytest.raises(PermissionError, match=message):
                function(path)
    finally:
        os.chmod(".", 0o777)
    assert sorted(os.listdir()) == before


def test_checking_neither_opens_a_fifo_nor_touches_anything():
    os.mkfifo("fifo")
    make_old()
    before = {name: os.stat(name) for name in (".", "old")}
    for path in ("fifo", "old", "new"):  # opening the FIFO would wait for a reader for ever
        check_writable(path)
    assert {name: os.stat(name) for name in (".", "old")} == before
    assert sorted(os.listdir()) == ["fifo", "old"]


@pytest.mark.parametrize("kind", ["file", "hard link", "link", "fifo", "nothing"])
def test_an_error_in_the_block_changes_nothing(kind):
    if kind == "fifo":
        os.mkfifo("path")
    elif kind != "nothing":
        make_old("path" if kind != "link" else "target")
    if kind == "hard link":
        os.link("path", "other")
    elif kind == "link":
        os.symlink("target", "path")
    before = {name: os.lstat(name) for name in os.listdir()}

    def fail():
        with replacing("path") as file:
            file.write(NEW)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert {name: os.lstat(name) for name in os.listdir()} == before
