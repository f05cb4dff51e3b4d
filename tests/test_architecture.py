"""The structure of the source: what CONTRIBUTING says of packages, imports and sizes holds.

Each rule is also tried on a sample that breaks it, and on one that looks as if it did.
"""

from pathlib import Path

import pytest

from helpers.architecture import (
    Sources,
    circles,
    foreign_private_names,
    imports_against_the_table,
    layers_of,
    long_files,
    many_positional,
    unlisted_modules,
)

ROOT = Path(__file__).parents[1]
FOLDERS = ("fastmlp", "csrc", "benchmarks", "tests")
# Files that may have more than 400 lines, and how many: none has now.
LONGER: dict[str, int] = {}
# Attributes of scikit-learn's perceptrons, which formats/sklearn.py sets and ours have, too.
THEIRS = frozenset({"_no_improvement_count"})

TABLE = """
| package | imported by | its modules |
|---|---|---|
| the face | all above | `__init__.py`; `__main__.py` the command |
| `upper/` | all above | `a.py`: something; `b.py`: `lower/` and more |
| `upper/part/` | `upper/` | `c.py` |
| `lower/` | `upper/part/` | `d.py`, `e.pyx` |
| leaves | all above | `leaf.py` |
"""


def listed(sentences):
    """Return sentences for the message of a failed test."""
    return "\n".join(["", *sentences])


@pytest.fixture(scope="module")
def sources():
    return Sources(ROOT)


@pytest.fixture(scope="module")
def layers():
    return layers_of((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))


def test_every_module_is_in_the_table(sources, layers):
    found = unlisted_modules(sources, layers)
    assert not found, listed(found)


def test_imports_go_down_the_table(sources, layers):
    found = imports_against_the_table(sources, layers)
    assert not found, listed(found)


def test_imports_make_no_circle(sources):
    found = circles(sources)
    assert not found, listed(found)


def test_private_names_stay_in_their_module(sources):
    found = foreign_private_names(sources, THEIRS)
    assert not found, listed(found)


def test_no_file_is_long():
    found = long_files(ROOT, FOLDERS, LONGER)
    assert not found, listed(found)


def test_no_function_takes_many_arguments_by_position(sources):
    found = many_positional(sources)
    assert not found, listed(found)


# --------------------------------------------------------------------------------------------- samples


@pytest.fixture
def sample(tmp_path):
    """Return a function that writes modules, given by path, and returns the sources."""

    def write(files):
        packages = {f"{folder}__init__.py": "" for folder in ("", "upper/", "upper/part/", "lower/")}
        for name, text in (packages | files).items():
            path = tmp_path / "fastmlp" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return Sources(tmp_path)

    return write


def test_the_table_is_read():
    face, upper, part, lower, leaves = layers_of(TABLE)
    assert face.modules == {"fastmlp", "fastmlp.__main__"}
    assert (upper.title, upper.modules, upper.importers) == (
        "upper/",
        {"fastmlp.upper.a", "fastmlp.upper.b"},
        None,
    )
    assert (part.modules, part.importers) == ({"fastmlp.upper.part.c"}, {"upper/"})
    assert lower.modules == {"fastmlp.lower.d", "fastmlp.lower.e"}
    assert leaves.modules == {"fastmlp.leaf"}
    with pytest.raises(ValueError, match="no table"):
        layers_of("| a | b |\n")


def test_a_module_that_is_not_listed_is_found(sample):
    names = ("__main__", "upper/a", "upper/b", "upper/part/c", "lower/d", "lower/new", "leaf")
    sources = sample({f"{name}.py": "" for name in names})
    assert unlisted_modules(sources, layers_of(TABLE)) == [
        "fastmlp/lower/new.py:1: it is missing in CONTRIBUTING's table of packages",
        "CONTRIBUTING.md: its table lists fastmlp.lower.e, which is not there",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "from fastmlp.upper.a import f",
        "from fastmlp.upper import a",
        "import fastmlp.upper.a",
        "from ..upper.a import f",
        "from ..upper import a as other",
        "def g():\n    from fastmlp.upper import a",
        "if not TYPE_CHECKING:\n    from fastmlp.upper import a",
        "import_module('fastmlp.upper.a')",
    ],
)
def test_an_import_that_goes_up_is_found(sample, text):
    sources = sample({"lower/d.py": text, "upper/a.py": "def f(): ..."})
    (sentence,) = imports_against_the_table(sources, layers_of(TABLE))
    line = text.count("\n") + 1
    assert sentence == (
        f"fastmlp/lower/d.py:{line}: imports fastmlp.upper.a, "
        "but upper/ is above lower/ in CONTRIBUTING's table"
    )


def test_the_package_itself_is_above_all_but_the_face(sample):
    sources = sample({"leaf.py": "import fastmlp", "__main__.py": "import fastmlp"})
    (sentence,) = imports_against_the_table(sources, layers_of(TABLE))
    assert sentence.startswith("fastmlp/leaf.py:1: imports fastmlp, but the face is above leaves")


def test_an_import_by_the_wrong_package_is_found(sample):
    text = "\nfrom fastmlp.lower import d"
    sources = sample({"upper/a.py": text, "upper/part/c.py": text, "lower/d.py": ""})
    assert imports_against_the_table(sources, layers_of(TABLE)) == [
        "fastmlp/upper/a.py:2: imports fastmlp.lower.d, "
        "but CONTRIBUTING's table has lower/ imported by upper/part/"
    ]


def test_imports_of_cython_are_read(sample):
    text = "from fastmlp.upper.b cimport x\nfrom fastmlp.upper import a\n"
    sources = sample({"upper/a.py": "from fastmlp.lower import e", "upper/b.pyx": "", "lower/e.pyx": text})
    table = layers_of(TABLE.replace("`upper/part/` | `d", "all above | `d"))
    lines = [one.partition(",")[0] for one in imports_against_the_table(sources, table)]
    assert lines == [
        "fastmlp/lower/e.pyx:1: imports fastmlp.upper.b",
        "fastmlp/lower/e.pyx:2: imports fastmlp.upper.a",
    ]
    # What C declarations need of each other closes no circle.
    assert len(circles(sources)) == 1
    (sources.root / "fastmlp" / "lower" / "e.pyx").write_text("from fastmlp.upper.a cimport x\n")
    assert circles(sources) == []


@pytest.mark.parametrize(
    "text",
    [
        "from fastmlp.lower.d import f",
        "from fastmlp import leaf",
        "from fastmlp.upper.part import c",
        "from numpy.upper import a",
        "from .b import g",
        "if TYPE_CHECKING:\n    from fastmlp import fit",
        "if typing.TYPE_CHECKING:\n    import fastmlp",
    ],
)
def test_other_imports_are_not_found(sample, text):
    sources = sample({"upper/part/c.py": text, "lower/d.py": "", "leaf.py": ""})
    assert imports_against_the_table(sources, layers_of(TABLE)) == []


def test_circles_are_found(sample):
    files = {
        "upper/a.py": "from fastmlp.upper import b",
        "upper/b.py": "\n\ndef f():\n    from fastmlp.leaf import g",
        "leaf.py": "from fastmlp.upper.a import h",
        "lower/d.py": "from fastmlp.lower import f",
        "lower/__init__.py": "from fastmlp.lower.d import f",
    }
    short, long = sorted(circles(sample(files)), key=len)
    steps = {
        "fastmlp/lower/__init__.py:1 imports fastmlp.lower.d",
        "fastmlp/lower/d.py:1 imports fastmlp.lower",
    }
    assert set(short.removesuffix(": a circle").split("; ")) == steps
    steps = {
        "fastmlp/leaf.py:1 imports fastmlp.upper.a",
        "fastmlp/upper/a.py:1 imports fastmlp.upper.b",
        "fastmlp/upper/b.py:4 imports fastmlp.leaf",
    }
    assert set(long.removesuffix(": a circle").split("; ")) == steps


def test_what_only_type_checkers_import_closes_no_circle(sample):
    guarded = "if TYPE_CHECKING:\n    from fastmlp.upper.a import A"
    assert circles(sample({"upper/a.py": "from fastmlp.upper.b import B", "upper/b.py": guarded})) == []


@pytest.mark.parametrize(
    "touch", ["x._loss", "x.y._fit()", "x._loss = 1", "getattr(x, '_fit')", "f(x)._loss"]
)
def test_a_private_name_of_another_module_is_found(sample, touch):
    defined = "class Model:\n    def _fit(self):\n        self._loss = 1"
    sources = sample({"upper/a.py": defined, "lower/d.py": f"\n{touch}"})
    (sentence,) = foreign_private_names(sources)
    assert sentence.startswith("fastmlp/lower/d.py:2: touches ")
    assert sentence.endswith("is private to fastmlp.upper.a")
    assert foreign_private_names(sources, frozenset({"_loss", "_fit"})) == []


@pytest.mark.parametrize(
    "text",
    [
        "class Other(Model):\n    def f(self):\n        return self._loss, super()._fit(), type(self)._fit",
        "class Other:\n    _loss = 1\n\ndef f(x):\n    return x._loss",
        "theirs._of_another_library, record._asdict(), x.__dict__, x.loss",
        "from fastmlp.engine import walk\nfor _ in range(3): x._",
    ],
)
def test_other_private_names_are_not_found(sample, text):
    defined = "class Model:\n    def _fit(self):\n        self._loss = 1\n        for _ in (): pass"
    assert foreign_private_names(sample({"upper/a.py": defined, "lower/d.py": text})) == []


def test_a_long_file_is_found(tmp_path):
    (tmp_path / "csrc").mkdir()
    for name, n_lines in (
        ("a.c", 401),
        ("b.h", 400),
        ("c.toml", 500),
        ("d.h", 403),
        ("e.c", 500),
        ("e.pyx", 9),
    ):
        (tmp_path / "csrc" / name).write_text("\n" * n_lines)
    assert long_files(tmp_path, ("csrc",), {"csrc/a.c": 401}) == [
        "csrc/d.h:401: it has 403 lines; a file has at most 400"
    ]
    assert long_files(tmp_path, ("csrc",), {"csrc/d.h": 403}) == [
        "csrc/a.c:401: it has 401 lines; a file has at most 400"
    ]


def test_a_function_of_eight_positions_is_found(sample):
    text = """
def right(a, b, c, d, e, f, g, *, h): ...
def wrong(a, b, c, /, d, e, f, g, h=1): ...
class A:
    def right(self, a, b, c, d, e, f, g, *more): ...
    @classmethod
    def also_right(cls, a, b, c, d, e, f, g, **more): ...
    async def wrong_too(self, a, b, c, d, e, f, g, h): ...
    @staticmethod
    def wrong_as_well(a, b, c, d, e, f, g, h): ...
"""
    found = many_positional(sample({"leaf.py": text}))
    assert [one.split(" takes ")[0] for one in found] == [
        "fastmlp/leaf.py:3: wrong", "fastmlp/leaf.py:8: wrong_too", "fastmlp/leaf.py:10: wrong_as_well"
    ]  # fmt: skip
