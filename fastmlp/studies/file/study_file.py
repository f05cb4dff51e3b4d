"""Reading a study file: what is wrong with it is reported before anything runs."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastmlp.estimators.loading import ESTIMATORS
from fastmlp.studies.file.consistency import check_consistency
from fastmlp.studies.file.groups import Group
from fastmlp.studies.file.parameters import KnownParameters
from fastmlp.studies.file.schema import Place, StudyError, keys_of, nearest, read
from fastmlp.studies.file.study import Data, Study
from fastmlp.tabular.files import kind_of
from fastmlp.tabular.reading import BUILT_IN
from fastmlp.tabular.text_files import TextFormat

_FOLDER = Path(__file__).parents[1] / "published"


def load_study(path: str | Path) -> Study:
    """Return the study that a TOML file describes.

    Parameters
    ----------
    path : path-like
        A file, or the name of a study that comes with fastmlp, see `published`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    StudyError
        If it is no TOML, or a key, a type or a value is wrong.
    """
    path = located(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StudyError(f"{path}: not a TOML file ({error}).") from None
    file, given = Place(str(path)), content.get("data")
    estimator = given.get("estimator") if isinstance(given, dict) else None
    parameters = KnownParameters([name for name in ESTIMATORS if name == estimator] or ESTIMATORS)
    _check_places_of_parameters(content.get("runs"), parameters, file.at("runs"))
    study = read(Study, content, file, name=path.stem)
    _check_data(study.data, content["data"], file.at("data"))
    check_consistency(study, parameters, file)
    beside = path.parent / study.data.name
    is_there = study.data.name not in BUILT_IN and beside.is_file()
    return replace(study, data=replace(study.data, name=str(beside))) if is_there else study


def published() -> list[str]:
    """Return the names of the studies that come with fastmlp.

    Examples
    --------
    >>> "fashion-topology" in published()
    True
    """
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def located(path: str | Path) -> Path:
    """Return the file of a study that comes with fastmlp, or the file of that name."""
    if str(path) in published():
        return _FOLDER / f"{path}.toml"
    if not Path(path).is_file():
        near = nearest(str(path), published())
        raise FileNotFoundError(f"{path}: there is no such file, and no study of that name; {near}")
    return Path(path)


def _check_places_of_parameters(runs: Any, parameters: KnownParameters, place: Place) -> None:
    """Refuse a parameter that stands in a group of runs by itself, and say where it belongs."""
    for name, group in runs.items() if isinstance(runs, dict) else ():
        for key in group if isinstance(group, dict) else ():
            if key in parameters and key not in keys_of(Group):
                raise place.at(name).at(key).wrong(f"is a parameter; write set.{key}.")


def _check_data(data: Data, given: dict[str, Any], place: Place) -> None:
    """Refuse data that cannot be read twice, keys that do not go with them, and a file without a target."""
    if data.name == "-":
        raise place.at("name").wrong("must be a file: a study reads it more often than once.")
    try:
        TextFormat(data.sep, data.decimal, data.encoding)
    except ValueError as error:
        raise place.wrong(str(error)) from None
    if data.name in BUILT_IN:
        for name in ("target", "test", "sep", "decimal", "encoding"):
            if name in given:
                raise place.at(name).wrong(f"is for files; {data.name} has its own. Leave it out.")
    elif data.target is None and kind_of(data.name) in (".csv", ".parquet"):
        raise place.at("target").wrong("is missing: the column that is to be predicted.")
