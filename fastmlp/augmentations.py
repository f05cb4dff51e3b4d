"""Changes made at random to the images of a batch, while it is read: each epoch sees others.

They are for training alone. A row of X is an image, its pixels from left to right and from the top down, the
channels of each pixel together; what comes in from beyond its border is 0 in the units of X: black.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from fastmlp._support.checks import known, number, shown


@dataclass(frozen=True)
class Augmentation:
    """The base of the augmentations. The engine knows the classes of this module only."""

    name: ClassVar[str]

    def options(self) -> dict[str, Any]:
        """Return its numbers, as the engine is told."""
        return asdict(self)


@dataclass(frozen=True)
class Shift(Augmentation):
    """Move the image by a whole number of pixels, right or left and up or down, each way alike.

    Parameters
    ----------
    pixels : int, default=2
        The farthest, in both directions; below the image's height and width.

    Examples
    --------
    >>> from fastmlp.augmentations import Shift
    >>> Shift(3)
    Shift(pixels=3)
    """

    pixels: int = 2

    name: ClassVar[str] = "shift"

    def __post_init__(self) -> None:
        number("pixels", self.pixels, at_least=1, whole=True)


@dataclass(frozen=True)
class Flip(Augmentation):
    """Mirror the image, left to right, or leave it, each half of the time."""

    name: ClassVar[str] = "flip"

    def options(self) -> dict[str, Any]:
        """Return that there is one."""
        return {"flip": True}


#: The augmentations by name, as strings choose them.
BY_NAME: dict[str, type[Augmentation]] = {kind.name: kind for kind in (Shift, Flip)}


def listed(augmentation: Any) -> tuple[Augmentation, ...]:
    """Return the augmentations that None, a name, an instance or a sequence of these stands for.

    Raises
    ------
    ValueError
        If one is not known, or there are two of a kind.
    """
    if augmentation is None:
        return ()
    if isinstance(augmentation, str) or not isinstance(augmentation, Sequence):
        augmentation = (augmentation,)
    chosen = tuple(known("augmentation", one, BY_NAME) for one in augmentation)
    if len({type(one) for one in chosen}) < len(chosen):
        raise ValueError(f"augmentation={shown(list(chosen))} has two of a kind; one of each is allowed.")
    return chosen


def engine_options(augmentation: Any, image_shape: Any, n_features: int) -> dict[str, Any] | None:
    """Return what the engine is told of augmentations for images of this shape; None if there are none.

    Raises
    ------
    TypeError, ValueError
        If the images are not of the inputs' size, or too small for a shift.
    """
    chosen = listed(augmentation)
    if image_shape is None and not chosen:
        return None
    height, width, channels = sizes_of(image_shape, n_features)
    options: dict[str, Any] = {
        "height": height,
        "width": width,
        "channels": channels,
        "pixels": 0,
        "flip": False,
    }
    for one in chosen:
        options |= one.options()
    if options["pixels"] >= min(height, width):
        raise ValueError(
            f"pixels={options['pixels']!r} must be below the height and width of the images, "
            f"{height} x {width}."
        )
    return options if chosen else None


def sizes_of(image_shape: Any, n_features: int) -> tuple[int, int, int]:
    """Return height, width and channels; None is a square of one channel."""
    if image_shape is None:
        side = math.isqrt(n_features)
        if side * side != n_features:
            raise ValueError(
                f"image_shape=None is for square images, and {n_features} features are no square."
            )
        return side, side, 1
    sizes = list(image_shape) if np.ndim(image_shape) else [image_shape]
    if len(sizes) not in (2, 3):
        raise ValueError(
            f"image_shape={shown(image_shape)} must be (height, width) or (height, width, channels)."
        )
    for size in sizes:
        number("image_shape", size, at_least=1, whole=True)
    if math.prod(sizes) != n_features:
        raise ValueError(
            f"image_shape={shown(image_shape)} has {math.prod(sizes)} values, and X has {n_features} "
            "features."
        )
    height, width, channels = map(int, (*sizes, 1)[:3])
    return height, width, channels
