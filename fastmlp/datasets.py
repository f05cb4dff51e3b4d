"""Image data sets to learn on: scikit-learn's digits, MNIST and Fashion-MNIST.

`load_digits` needs no file of its own. MNIST and Fashion-MNIST are four IDX files each, gzipped or not.
Every file is looked for in these folders, in this order:

1. ``data_home/mnist`` (or ``data_home/fashion-mnist``), then ``data_home`` itself, if it was given;
2. ``$FASTMLP_DATA/mnist`` (or ``fashion-mnist``), if that variable is set;
3. the folder of the system's package, where there is one (Debian's ``dataset-fashion-mnist``);
4. the cache: ``$XDG_CACHE_HOME/fastmlp/mnist``, or ``~/.cache/fastmlp/mnist`` without that variable.

A file in none of them is downloaded: into ``data_home/mnist`` if that was given, else into the cache.

Design: a file is accepted, from any folder and from any server, only if its raw bytes have the SHA-256 in
the table below. So it does not matter that one mirror has no TLS, that gzip bytes differ between
distributors, or which of the folders a file came from. The check runs on every load: it takes a fraction
of a second, and a damaged file never turns into a slightly wrong accuracy.
"""

import gzip
import hashlib
import http.client
import io
import math
import os
import sys
import urllib.request
import zlib
from contextlib import AbstractContextManager, nullcontext
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastmlp._support.files import replacing

__all__ = ["FASHION_MNIST_CLASSES", "Dataset", "load_digits", "load_fashion_mnist", "load_mnist"]

#: What the classes of Fashion-MNIST are, from 0 to 9.
FASHION_MNIST_CLASSES = (
    "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip


class Dataset(NamedTuple):
    """Samples and labels, for training and for testing.

    Attributes
    ----------
    X_train, X_test : ndarray of shape (n_samples, n_features), uint8
        The grey values, one image a row, C-contiguous.
    y_train, y_test : ndarray of shape (n_samples,), int64
        The class of each image, from 0 to 9. Not uint8, in which ``y_test - y_predicted`` would wrap around.
    """

    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray

    def __repr__(self) -> str:
        return (
            f"<Dataset of {len(self.X_train):,} + {len(self.X_test):,} samples, {self.X_train.shape[1]} "
            f"features ({self.X_train.dtype}), {len(np.unique(self.y_train))} classes>"
        )

    def _repr_html_(self) -> str:
        """Return the representation and a table of the arrays, for notebooks."""
        rows = "".join(
            f"<tr><td>{name}</td><td>{' x '.join(f'{n:,}' for n in array.shape)}</td><td>{array.dtype}</td>"
            f"<td>{escape(f'{array.min()} to {array.max()}') if array.size else ''}</td></tr>"
            for name, array in zip(self._fields, self, strict=True)
        )
        head = "<tr><th>Array</th><th>Shape</th><th>Type</th><th>Values</th></tr>"
        return f"<div>{escape(repr(self))}<table><thead>{head}</thead><tbody>{rows}</tbody></table></div>"


class _IdxFile(NamedTuple):
    """An IDX file of unsigned bytes: a magic number, each dimension as 4 bytes (big-endian), the values."""

    name: str
    shape: tuple[int, ...]
    sha256: str  # of the raw file, not of the gzipped one

    @property
    def magic(self) -> bytes:
        """The first four bytes: two zeros, 8 for unsigned bytes, the number of dimensions."""
        return bytes([0, 0, 8, len(self.shape)])

    @property
    def header_size(self) -> int:
        """How many bytes precede the values."""
        return 4 + 4 * len(self.shape)

    @property
    def n_bytes(self) -> int:
        """The size of the raw file."""
        return self.header_size + math.prod(self.shape)


class _Source(NamedTuple):
    """Where a data set comes from."""

    title: str
    urls: tuple[str, ...]  # the folders on servers, tried in turn
    system_folders: tuple[str, ...]
    files: tuple[_IdxFile, ...]  # in the order of the fields of Dataset


def _files(*sha256s: str) -> tuple[_IdxFile, ...]:
    """Return the four files of a data set that is laid out like MNIST."""
    shapes = {
        "train-images-idx3-ubyte": (60000, 28, 28),
        "train-labels-idx1-ubyte": (60000,),
        "t10k-images-idx3-ubyte": (10000, 28, 28),
        "t10k-labels-idx1-ubyte": (10000,),
    }
    return tuple(map(_IdxFile, shapes.keys(), shapes.values(), sha256s))


# Keyed by the name of the data set's folder, below data_home, $FASTMLP_DATA and the cache.
_SOURCES = {
    "mnist": _Source(
        title="MNIST",
        urls=(
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ),
        system_folders=(),
        files=_files(
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
    "fashion-mnist": _Source(
        title="Fashion-MNIST",
        urls=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
        system_folders=("/usr/share/datasets/fashion-mnist",),
        files=_files(
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    ),
}

_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 16  # bytes read from a server at once
_TIMEOUT = 30  # seconds without a sign of life from a server


def load_digits() -> Dataset:
    """Load scikit-learn's 1,797 handwritten digits of 8 x 8 pixels, split into 1,437 and 360.

    Returns
    -------
    Dataset
        ``(X_train, y_train, X_test, y_test)``; 64 features, with values from 0 to 16. The split is the same
        at every call, with a fifth of every class for testing.

    Examples
    --------
    >>> from fastmlp.datasets import load_digits
    >>> X_train, y_train, X_test, y_test = load_digits()
    >>> X_train.shape, X_test.shape
    ((1437, 64), (360, 64))
    >>> X_train.dtype, y_train.dtype
    (dtype('uint8'), dtype('int64'))
    """
    # Imported here because scikit-learn takes about a second, and the other two sets do not need it.
    import sklearn.datasets
    from sklearn.model_selection import train_test_split

    X, y = sklearn.datasets.load_digits(return_X_y=True)
    X, y = X.astype(np.uint8), y.astype(np.int64)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, stratify=y, random_state=0)
    return Dataset(X_train, y_train, X_test, y_test)


def load_mnist(data_home: str | os.PathLike[str] | None = None) -> Dataset:
    """Load MNIST: 60,000 and 10,000 handwritten digits of 28 x 28 pixels.

    Parameters
    ----------
    data_home : path-like, default=None
        A folder with the four IDX files, or with a folder ``mnist`` that has them. Files that are found
        neither there nor in the other places that the module's documentation lists are downloaded
        (11 MB) into its folder ``mnist``, which is created if necessary.

    Returns
    -------
    Dataset
        ``(X_train, y_train, X_test, y_test)``; 784 features, with values from 0 to 255.

    Raises
    ------
    ValueError
        If `data_home` is a file, or if a file that was found is damaged or not of this data set.
    ConnectionError
        If a file has to be downloaded and no server delivers it whole. Nothing of it is kept then.
    OSError
        If a file cannot be read, or cannot be written after its download.
    """
    return _load("mnist", data_home)


def load_fashion_mnist(data_home: str | os.PathLike[str] | None = None) -> Dataset:
    """Load Fashion-MNIST: 60,000 and 10,000 pictures of clothes, of 28 x 28 pixels.

    `FASHION_MNIST_CLASSES` has the names of the classes, T-shirt to ankle boot.

    Parameters
    ----------
    data_home : path-like, default=None
        As for `load_mnist`; the folder is called ``fashion-mnist``, and the download takes 31 MB.

    Returns
    -------
    Dataset
        ``(X_train, y_train, X_test, y_test)``, of the same shapes and values as MNIST.

    Raises
    ------
    ValueError, ConnectionError, OSError
        As for `load_mnist`.
    """
    return _load("fashion-mnist", data_home)


def _load(name: str, data_home: str | os.PathLike[str] | None) -> Dataset:
    """Load the data set of this name, downloading the files that are in none of its folders."""
    source = _SOURCES[name]
    folders, target = _folders(name, data_home)
    arrays = []
    for file in source.files:
        path = _find(file, folders) or _download(file, source, folders, target)
        arrays.append(_read(file, source, path))
    return Dataset(*arrays)


def _folders(name: str, data_home: str | os.PathLike[str] | None) -> tuple[list[Path], Path]:
    """Return the folders to look in, in order, and the folder to download into."""
    cache_home = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not cache_home.is_absolute():  # "must be ignored", says the XDG base directory specification
        cache_home = Path.home() / ".cache"
    cache = cache_home / "fastmlp" / name
    folders = [Path(folder) for folder in _SOURCES[name].system_folders] + [cache]
    if shared := os.environ.get("FASTMLP_DATA"):
        folders.insert(0, Path(shared).expanduser() / name)
    if data_home is None:
        return folders, cache
    home = Path(data_home).expanduser()
    if home.exists() and not home.is_dir():
        raise ValueError(f"data_home={os.fspath(data_home)!r} is a file; it must be a folder")
    # The files of both sets have the same names: its own folder first, or the other set's would be taken.
    return [home / name, home, *folders], home / name


def _find(file: _IdxFile, folders: list[Path]) -> Path | None:
    """Return the path of the first such file, gzipped or not, or None."""
    paths = (folder / (file.name + suffix) for folder in folders for suffix in ("", ".gz"))
    return next((path for path in paths if path.is_file()), None)


def _read(file: _IdxFile, source: _Source, path: Path) -> np.ndarray:
    """Return the labels as int64 of shape (n,), or the images as uint8 of shape (n, pixels)."""
    try:
        with path.open("rb") as stream:
            raw = _unpack(file, stream)
    except ValueError as error:
        message = f"{path} is damaged, or not {source.title}: {error}; move it away to have it downloaded"
        raise ValueError(message) from error
    values = np.frombuffer(raw, np.uint8, offset=file.header_size)
    if len(file.shape) == 1:
        return values.astype(np.int64)
    return values.reshape(file.shape[0], -1).copy()  # a copy can be written to


def _unpack(file: _IdxFile, stream: io.BufferedIOBase) -> bytes:
    """Return the raw bytes of this file from a stream, gzipped or not; ValueError says what is wrong."""
    # The first bytes decide, not the name: browsers and proxies unzip files and keep the ".gz".
    gzipped = stream.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    stream.seek(0)
    try:  # Read a limited number of bytes: a few kilobytes of gzip can hold gigabytes.
        with gzip.GzipFile(fileobj=stream) if gzipped else nullcontext(stream) as unzipped:
            raw = unzipped.read(file.n_bytes + 1)  # one byte more shows a file that is too long
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"it cannot be unzipped ({error})") from error
    if not raw.startswith(file.magic):
        raise ValueError(f"it begins with {raw[:4]!r}, not with {file.magic!r}")
    if len(raw) != file.n_bytes:
        found = "more" if len(raw) > file.n_bytes else f"{len(raw):,}"
        raise ValueError(f"its size is {found}, not {file.n_bytes:,} bytes")
    if (sha256 := hashlib.sha256(raw).hexdigest()) != file.sha256:
        raise ValueError(f"its SHA-256 is {sha256}, not {file.sha256}")
    return raw


def _download(file: _IdxFile, source: _Source, folders: list[Path], target: Path) -> Path:
    """Download this file into the folder `target` and return its path."""
    failures = []
    for url in source.urls:
        address = f"{url}{file.name}.gz"
        try:
            body = _fetch(file, address)
        except (OSError, http.client.HTTPException, ValueError) as error:
            failures.append(f"{address}: {error}")
        else:
            return _keep(body, target / f"{file.name}.gz")
    names = ", ".join(f"{file.name}.gz" for file in source.files)
    raise ConnectionError(
        f"{source.title} is incomplete in {', '.join(map(str, folders))} and cannot be downloaded"
        f" ({'; '.join(failures)}): put the files {names} into {target}"
    )


def _fetch(file: _IdxFile, address: str) -> bytearray:
    """Return what a server sends for this file; ValueError if it is something else."""
    body = bytearray()
    with urllib.request.urlopen(address, timeout=_TIMEOUT) as response, _progress(file, response) as stream:
        while chunk := stream.read(_CHUNK):
            body += chunk
            if len(body) > file.n_bytes + _CHUNK:  # gzip lengthens even random bytes by less than a chunk
                raise ValueError(f"it sends more than {file.n_bytes:,} bytes")
    _unpack(file, io.BytesIO(body))
    return body


def _progress(file: _IdxFile, response: http.client.HTTPResponse) -> AbstractContextManager[Any]:
    """Return a context with the response to read from; on a terminal, rich draws a bar meanwhile."""
    if response.length is not None and sys.stderr is not None and sys.stderr.isatty():
        try:
            from rich.console import Console
            from rich.progress import wrap_file
        except ImportError:
            pass  # rich is optional; without it, downloads are silent
        else:
            console = Console(stderr=True)
            return wrap_file(response, response.length, description=f"{file.name}.gz", console=console)
    return nullcontext(response)


def _keep(body: bytearray, path: Path) -> Path:
    """Write a file, whoever else writes it, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as stream:
        stream.write(body)
    return path
