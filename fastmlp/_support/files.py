"""Writing files, below everything else: over a regular file whole or not at all, and into anything else."""

from __future__ import annotations

import fcntl
import io
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Yield a file whose bytes are at ``path`` after the block; an error in the block changes nothing.

    A new file, or one in place of a regular file, is written under another name in the same folder and then
    renamed: readers see the old content or the new one, even after a power failure. Mode, owner and extended
    attributes of the old file are kept. A symbolic link stays, and the file that it leads to is replaced.

    Everything else is written into, after the block, from memory:

    - a file that has other names (hard links) or another owner. If writing fails, its old content is
      restored, but a process that is killed at that moment leaves a mixture.
    - a FIFO or a device. As in any program, opening a FIFO blocks until another process reads from it.
    - what is open already, such as ``/dev/stdout`` or ``/proc/self/fd/3``, at its current position.

    Raises
    ------
    OSError, ValueError
        As `check_writable`, before the block; an OSError also if writing fails.
    """
    place = _place(path)
    try:
        if place.is_replaced:
            with _renamed(place) as file:
                yield file
        else:
            content = io.BytesIO()
            yield content
            _write_into(place, content)
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = place.path  # the error of a full disk names no file
        raise


def check_writable(path: str | os.PathLike[str]) -> None:
    """Check, before hours of training, that `replacing` can write to a path.

    Nothing is created, opened or changed. A disk that fills up later is not foreseen.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If the path is empty, or its folder does not exist or is a file.
    IsADirectoryError
        If the path is a folder, or ends in a slash.
    PermissionError
        If the folder, or the file that is there, is not writable.
    OSError
        If the name is too long, or the path is a loop of symbolic links or a socket.
    ValueError
        If the path has a null character.
    """
    _place(path)


@dataclass(frozen=True)
class _Place:
    """Where to write.

    Attributes
    ----------
    path : str
    status : os.stat_result or None
        Of what is there; None if there is nothing.
    is_replaced : bool
        Whether a new file is renamed to the path, or what is there is written into.
    descriptor : int or None
        Where the path stands for an open descriptor of this process.
    """

    path: str
    status: os.stat_result | None
    is_replaced: bool
    descriptor: int | None = None

    @property
    def is_regular(self) -> bool:
        return self.status is not None and stat.S_ISREG(self.status.st_mode)


def _place(path: str | os.PathLike[str]) -> _Place:
    """Return where to write to, or raise why that is impossible."""
    path = os.fsdecode(path)
    if not path:
        raise FileNotFoundError("The path is empty: name a file.")
    if "\0" in path:
        raise ValueError(f"{path!r}: a path cannot have a null character.")
    status = _status(path)
    if path.endswith("/") or (status is not None and stat.S_ISDIR(status.st_mode)):
        raise IsADirectoryError(f"{path!r} is a folder: name a file.")
    target, descriptor = _followed(path)
    if descriptor is not None:
        return _open_place(path, descriptor)
    if status is not None and stat.S_ISSOCK(status.st_mode):
        raise OSError(f"{path!r} is a socket, which cannot be written to as a file.")
    is_replaced = status is None or (
        stat.S_ISREG(status.st_mode)
        and status.st_nlink == 1
        and os.geteuid() in (0, status.st_uid)  # nobody else can give a new file to this owner
        and _is_same(status, _status(target))  # another process's open file may have no name
    )
    place = _Place(target if is_replaced else path, status, is_replaced)
    _check_access(place)
    return place


def _status(path: str) -> os.stat_result | None:
    """Return the status of what is at a path, links followed; None if there is nothing."""
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _is_same(one: os.stat_result, other: os.stat_result | None) -> bool:
    return other is not None and os.path.samestat(one, other)


def _followed(path: str) -> tuple[str, int | None]:
    """Return where symbolic links lead to, and the open descriptor there, as behind /dev/stdout."""
    own = f"/proc/{os.getpid()}/fd"
    while True:  # `_status` has raised for loops
        folder, name = os.path.split(path)
        if name.isdecimal() and os.path.realpath(folder) == own:
            return path, int(name)
        if not os.path.islink(path):
            return path, None
        path = os.path.join(folder, os.readlink(path))


def _open_place(path: str, descriptor: int) -> _Place:
    """Return the place of an open descriptor."""
    try:
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    except OSError:
        raise FileNotFoundError(f"{path!r}: the descriptor {descriptor} is not open.") from None
    if flags & os.O_ACCMODE == os.O_RDONLY:
        raise PermissionError(f"{path!r}: the descriptor {descriptor} is open for reading only.")
    return _Place(path, os.fstat(descriptor), is_replaced=False, descriptor=descriptor)


def _check_access(place: _Place) -> None:
    """Raise if the folder is missing or not writable, or what is there is not writable."""
    path, folder = place.path, os.path.dirname(place.path) or "."
    if not os.path.isdir(folder):
        if os.path.lexists(folder):
            raise NotADirectoryError(f"{path!r}: {folder!r} is not a folder.")
        raise FileNotFoundError(f"{path!r}: the folder {folder!r} does not exist.")
    if place.status is not None:
        # What is written into is read first, so that it can be restored.
        needed = os.W_OK | (os.R_OK if place.is_regular and not place.is_replaced else 0)
        if not os.access(path, needed, effective_ids=True):
            raise PermissionError(f"Permission denied: {path!r} is not writable.")
    if place.is_replaced and not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        raise PermissionError(f"Permission denied: {path!r}: the folder {folder!r} is not writable.")


@contextmanager
def _renamed(place: _Place) -> Iterator[BinaryIO]:
    """Yield a temporary file that is renamed to the path at the end, or removed after an error."""
    folder = os.path.dirname(place.path) or "."
    # Not the file's own name and more: that may be as long as a name can be.
    temporary = os.path.join(folder, f".fastmlp-{secrets.token_hex(8)}.part")
    mode = 0o666 if place.status is None else 0o600  # the latter until the old mode is copied
    try:
        with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            if place.status is not None:
                with suppress(OSError):  # only members of a group can give a file to it
                    os.chown(temporary, place.status.st_uid, place.status.st_gid)
                shutil.copystat(place.path, temporary)
                os.utime(temporary)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, place.path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    with suppress(OSError):  # the file is in its place; not every folder can be read, or flushed
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write_into(place: _Place, content: io.BytesIO) -> None:
    """Write to what is there: a file as a whole, anything else from where it stands."""
    if place.is_regular and place.descriptor is None:
        _overwrite(place.path, content)
    else:
        opened = place.descriptor
        with open(os.open(place.path, os.O_WRONLY) if opened is None else os.dup(opened), "wb") as file:
            file.write(content.getbuffer())


def _overwrite(path: str, content: io.BytesIO) -> None:
    """Write over the content of a file, which is restored after an error."""
    with open(path, "r+b", buffering=0) as file:
        old = file.read()
        try:
            _fill(file, content.getbuffer())
        except BaseException:
            with suppress(OSError):  # the first error says more
                _fill(file, memoryview(old))
            raise


def _fill(file: io.FileIO, content: memoryview) -> None:
    """Write the content from the beginning, and cut off what is behind it."""
    file.seek(0)
    left = content
    while left:
        left = left[file.write(left) :]
    file.truncate()
    os.fsync(file.fileno())
