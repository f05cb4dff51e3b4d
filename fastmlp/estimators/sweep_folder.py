"""The folder of a sweep that can be resumed: a file for each model that is finished, whole or not there.

A file's name is a digest of all that the model follows from. Nothing else is kept, so that there is nothing a
kill could leave half done, and several processes may share a folder.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import issparse

from fastmlp.estimators.fitted_models import Outcome, described
from fastmlp.estimators.loading import ESTIMATORS, restore
from fastmlp.estimators.reading import Samples
from fastmlp.estimators.saving import save
from fastmlp.formats.description import describe_parameters
from fastmlp.formats.plain_values import describe_labels
from fastmlp.formats.safetensors_file import FormatError, read

# What is hashed at a time.
_BYTES_AT_A_TIME = 2**24
# Parameters that change nothing about the model, beside those that no file has.
_WITHOUT_EFFECT = ("verbose",)
# Parameters that a file leaves out, or keeps only in part: their representation counts.
_BY_REPRESENTATION = ("callbacks", "scoring")
# The entry of a model's file for what is known of the model beside its attributes.
_NOTES = "fit_many"


class Finished:
    """The models that are finished, of those to be trained.

    Parameters
    ----------
    folder : str or path-like
        Made if it is not there.
    models : list of MLPClassifier or MLPRegressor
        Unfitted.
    samples : dict
        The data, as each class of models reads them.

    Raises
    ------
    OSError
        If the folder cannot be made or written to.
    TypeError, ValueError
        If the folder is not a path, a model cannot be saved, or its random state is an instance.
    """

    def __init__(self, folder: str | os.PathLike[str], models: list[Any], samples: dict[type, Samples]):
        if not isinstance(folder, str | os.PathLike):
            raise TypeError(f"resume={folder!r} must be the path of a folder, or None.")
        if not os.fspath(folder):
            raise ValueError("resume='' must be the path of a folder; the present one is '.'.")
        digests = {kind: _digest_of(one) for kind, one in samples.items()}
        seen: Counter[str] = Counter()
        self._files = []
        for index, model in enumerate(models):
            try:
                name = _fingerprint(model, digests[type(model)])
            except ValueError as error:
                raise ValueError(f"configurations[{index}] with resume={str(folder)!r}: {error}") from None
            # Configurations that are alike are models of their own, as random_state=None asks for.
            self._files.append(f"{name}-{seen[name]}.safetensors")
            seen[name] += 1
        self._folder = Path(folder)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._folder):
                pass
        except OSError as error:
            text = os.strerror(error.errno or errno.EIO)
            raise OSError(
                error.errno, f"resume={str(folder)!r} must be a folder to write to: {text}"
            ) from None

    def get(self, index: int, model: Any, names: tuple[str, ...]) -> Outcome | None:
        """Return the outcome of a model that is finished; None for one that is not.

        Raises
        ------
        FormatError
            If its file is damaged.
        """
        path = self._folder / self._files[index]
        if not path.is_file():
            return None
        description, tensors = read(path)
        try:
            notes = description[_NOTES]
            seconds, diverged = float(notes["seconds"]), bool(notes["diverged"])
        except (LookupError, TypeError, ValueError):
            raise FormatError(f"{path}: not what fit_many wrote.") from None
        found = restore(path, description, tensors)
        found.set_params(**model.get_params(deep=False))  # also those that no file has
        return Outcome(found, index, names, seconds=seconds, diverged=diverged)

    def add(self, outcome: Outcome) -> None:
        """Write a model to its file; once this returns, a power failure does not undo it."""
        path = self._folder / self._files[outcome.index]
        notes = {"seconds": outcome.seconds, "diverged": outcome.diverged}
        save(outcome.model, path, **{_NOTES: notes})


def _fingerprint(model: Any, data: str) -> str:
    """Return a digest of all that a model follows from; refuse one that could not be read."""
    if type(model) not in ESTIMATORS.values():
        raise ValueError(f"models of the subclass {type(model).__qualname__} cannot be saved to a file.")
    if isinstance(model.random_state, np.random.RandomState):
        raise ValueError(
            f"random_state={model.random_state!r} would be another one in the next call; give an int, or "
            "None if any model will do."
        )
    parameters = describe_parameters(model.get_params(deep=False))
    parameters = {name: value for name, value in parameters.items() if name not in _WITHOUT_EFFECT}
    parameters |= {name: described(getattr(model, name)) for name in _BY_REPRESENTATION}
    whole = json.dumps([type(model).__name__, parameters, data], sort_keys=True, default=described)
    return hashlib.sha256(whole.encode()).hexdigest()[:32]


def _digest_of(samples: Samples) -> str:
    """Return a digest of the data as a class of models takes them, and of what was learnt from them."""
    digest = hashlib.sha256()
    for array in (samples.X, samples.codes, samples.X_val, samples.codes_val, samples.sample_weight):
        _update(digest, array)
    classes, names = samples.targets.classes, samples.feature_names
    known = [
        samples.is_single,
        None if classes is None else describe_labels(classes),
        None if names is None else names.tolist(),
    ]
    digest.update(json.dumps(known).encode())
    return digest.hexdigest()


def _update(digest: Any, array: Any) -> None:
    """Take an array into a digest: type, shape and values, in the order of its rows whatever its strides."""
    if array is None:
        digest.update(b"none")
        return
    if issparse(array):
        digest.update(f"{array.format} {array.shape}".encode())
        for part in (array.data, array.indices, array.indptr):
            _update(digest, part)
        return
    digest.update(f"{array.dtype.str} {array.shape}".encode())
    n_rows = max(1, _BYTES_AT_A_TIME // max(1, array[:1].nbytes))
    for start in range(0, len(array), n_rows):
        digest.update(np.ascontiguousarray(array[start : start + n_rows]).view(np.uint8).ravel())
