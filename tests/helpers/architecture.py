"""Checkers of the source's structure; each returns a sentence for every place that breaks its rule.

They read files and run nothing, so that they also work on samples that a test writes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

PACKAGE = "fastmlp"
MOST_LINES, MOST_POSITIONAL = 400, 7


@dataclass(frozen=True)
class Import:
    """A line that imports a module of the package; ``is_cimport`` says that it takes C declarations alone."""

    line: int
    target: str
    is_cimport: bool = False


@dataclass(frozen=True)
class Layer:
    """A row of CONTRIBUTING's table: a package, or modules outside of any."""

    title: str
    modules: frozenset[str]
    importers: frozenset[str] | None  # titles of rows; None if every row above may import it

    def has(self, module: str, is_package: bool) -> bool:
        """Return whether a module is of this row, listed or not."""
        package = (
            f"{PACKAGE}.{self.title.rstrip('/').replace('/', '.')}" if self.title.endswith("/") else None
        )
        return module in self.modules or (module if is_package else module.rpartition(".")[0]) == package


@dataclass(frozen=True)
class Module:
    """A source file of the package."""

    root: Path
    path: Path

    @property
    def place(self) -> str:
        """The file as messages name it."""
        return self.path.relative_to(self.root).as_posix()

    @property
    def is_package(self) -> bool:
        """Whether it is the ``__init__.py`` of a package."""
        return self.path.stem == "__init__"

    @property
    def name(self) -> str:
        """The name to import it by."""
        parts = self.path.relative_to(self.root).with_suffix("").parts
        return ".".join(parts[:-1] if self.is_package else parts)

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree of a Python file; that of a Cython file is empty."""
        return ast.parse(self.path.read_text(encoding="utf-8") if self.path.suffix == ".py" else "")


@dataclass(frozen=True)
class Sources:
    """The modules below ``root/fastmlp``, Python and Cython."""

    root: Path
    modules: dict[str, Module] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        paths = sorted(path for kind in ("*.py", "*.pyx") for path in (self.root / PACKAGE).rglob(kind))
        modules = [Module(self.root, path) for path in paths]
        object.__setattr__(self, "modules", {module.name: module for module in modules})

    def imports(self, module: Module) -> Iterator[Import]:
        """Yield what a module imports of the package, also within functions, not for type checkers alone."""
        if module.path.suffix == ".pyx":
            yield from self._cython_imports(module)
            return
        for node in _running_nodes(module.tree):
            if isinstance(node, ast.Import):
                yield from (Import(node.lineno, one.name) for one in node.names if _is_ours(one.name))
            elif isinstance(node, ast.ImportFrom):
                base = _base_of(node, module)
                if _is_ours(base):
                    yield from (Import(node.lineno, self._target(base, one.name)) for one in node.names)
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
                name = node.args[0] if node.args else None
                if isinstance(name, ast.Constant) and _is_ours(str(name.value)):
                    yield Import(node.lineno, str(name.value))

    def _cython_imports(self, module: Module) -> Iterator[Import]:
        lines = module.path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines, 1):
            found = re.match(r"\s*from (\S+) (c?import) (\w*)", line)
            if found and _is_ours(found[1]):
                yield Import(number, self._target(found[1], found[3]), found[2] == "cimport")

    def _target(self, base: str, name: str) -> str:
        """Return the module that ``from base import name`` runs."""
        return f"{base}.{name}" if f"{base}.{name}" in self.modules else base


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] == PACKAGE


def _base_of(node: ast.ImportFrom, module: Module) -> str:
    """Return the absolute name of what a line imports from."""
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    parts = parts[: len(parts) - node.level + module.is_package]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _running_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a tree without those below ``if TYPE_CHECKING:``."""
    yield node
    if isinstance(node, ast.If) and ast.unparse(node.test).rpartition(".")[2] == "TYPE_CHECKING":
        children = node.orelse
    else:
        children = list(ast.iter_child_nodes(node))
    for child in children:
        yield from _running_nodes(child)


# ------------------------------------------------------------------------------------------ the table


def layers_of(text: str) -> list[Layer]:
    """Return the rows of the table of packages in CONTRIBUTING, from the top down.

    Its columns are the package, who imports it, and its modules in backticks, relative to the package.
    """
    rows = re.search(r"^\| package \| imported by \|.*\n\|[-| ]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    if rows is None:
        raise ValueError("there is no table that begins with | package | imported by |.")
    layers = []
    for row in rows[1].splitlines():
        title, importers, modules = (cell.strip() for cell in row.strip("|").split("|", 2))
        title = title.strip("`")
        folder = title if title.endswith("/") else ""
        files = re.findall(r"`([\w/]+)\.pyx?`", modules)
        names = {f"{PACKAGE}/{folder}{file}".replace("/", ".").removesuffix(".__init__") for file in files}
        titles = frozenset(one.strip().strip("`") for one in importers.split(",")) - {"nobody"}
        allowed = None if importers == "all above" else titles
        layers.append(Layer(title, frozenset(names), allowed))
    return layers


def _layer(module: Module, layers: list[Layer]) -> int | None:
    """Return the row of a module, by its listing or by its package."""
    return next((i for i, one in enumerate(layers) if one.has(module.name, module.is_package)), None)


def unlisted_modules(sources: Sources, layers: list[Layer]) -> list[str]:
    """Return the modules that the table does not list, and those that it lists and that are not there."""
    listed = {name for layer in layers for name in layer.modules}
    missing = [
        f"{module.place}:1: it is missing in CONTRIBUTING's table of packages"
        for name, module in sources.modules.items()
        if name not in listed and not module.is_package
    ]
    gone = sorted(listed - set(sources.modules))
    return missing + [f"CONTRIBUTING.md: its table lists {name}, which is not there" for name in gone]


def imports_against_the_table(sources: Sources, layers: list[Layer]) -> list[str]:
    """Return the imports that go up the table, and those of a package that only others may import."""
    found = []
    for module in sources.modules.values():
        row = _layer(module, layers)
        if row is None:
            continue  # `unlisted_modules` reports it
        for one in dict.fromkeys(sources.imports(module)):  # a line may take several names of one module
            target = sources.modules.get(one.target)
            other = _layer(target, layers) if target else None
            if other is None or other == row:
                continue
            importer, imported = layers[row], layers[other]
            begin = f"{module.place}:{one.line}: imports {one.target}, "
            if other < row:
                found.append(f"{begin}but {imported.title} is above {importer.title} in CONTRIBUTING's table")
            elif imported.importers is not None and importer.title not in imported.importers:
                allowed = ", ".join(sorted(imported.importers)) or "nobody"
                found.append(f"{begin}but CONTRIBUTING's table has {imported.title} imported by {allowed}")
    return found


def circles(sources: Sources) -> list[str]:
    """Return the circles of imports among modules, one of each group that is closed by the same line."""
    lines = {
        (module.name, one.target): one.line
        for module in sources.modules.values()
        for one in sources.imports(module)
        if one.target in sources.modules and one.target != module.name and not one.is_cimport
    }
    found = []
    while True:
        graph: dict[str, set[str]] = {name: set() for name in sources.modules}
        for importer, imported in lines:
            graph[importer].add(imported)
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            names = error.args[1][::-1]  # each imports the next
            steps = [
                f"{sources.modules[one].place}:{lines[one, other]} imports {other}"
                for one, other in pairwise(names)
            ]
            found.append(f"{'; '.join(steps)}: a circle")
            del lines[names[-2], names[-1]]
        else:
            return found


# ------------------------------------------------------------------------------------- private names


def _private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def _own_names(module: Module) -> set[str]:
    """Return the private names that a module defines: of functions, classes, attributes and variables."""
    names = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_own(node.value):
            names.add(node.attr)
    return {name for name in names if _private(name)}


def _is_own(value: ast.expr) -> bool:
    """Return whether an expression is the object or class that a method belongs to, or its base."""
    return ast.unparse(value) in ("self", "cls", "super()", "type(self)")


def _attributes(module: Module) -> Iterator[tuple[int, ast.expr, str]]:
    """Yield line, object and name of each attribute that a module gets or sets, also by `getattr`."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute):
            yield node.lineno, node.value, node.attr
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "setattr", "hasattr"):
            value, name, *_ = (*node.args, None, None)
            if value is not None and isinstance(name, ast.Constant):
                yield node.lineno, value, str(name.value)


def foreign_private_names(sources: Sources, others: frozenset[str] = frozenset()) -> list[str]:
    """Return where a module touches a private name of an object that another module of the package defines.

    A private name that no module of the package defines is another library's, and so are ``others``. The
    engine's modules share theirs, and so do those of the estimators.
    """
    own = {name: _own_names(module) for name, module in sources.modules.items()}
    everyones = set().union(*own.values()) - others
    owners = {name: [one for one, names in own.items() if name in names] for name in everyones}
    found = []
    for module in sources.modules.values():
        if module.name.startswith(f"{PACKAGE}.engine"):
            continue
        touched = {
            (line, f"{ast.unparse(value)}.{name}", name)
            for line, value, name in _attributes(module)
            if _private(name) and not _is_own(value) and name in everyones - own[module.name]
            if not (_is_of_estimators(module.name) and any(_is_of_estimators(one) for one in owners[name]))
        }
        for line, attribute, name in sorted(touched):
            all_owners = ", ".join(sorted(owners[name]))
            found.append(f"{module.place}:{line}: touches {attribute}, which is private to {all_owners}")
    return found


def _is_of_estimators(module: str) -> bool:
    return module.startswith(f"{PACKAGE}.estimators.")


# -------------------------------------------------------------------------------------------- sizes


def long_files(root: Path, folders: tuple[str, ...], allowed: dict[str, int]) -> list[str]:
    """Return the source files of more than 400 lines; ``allowed`` has more for some of them."""
    found = []
    for path in sorted(path for folder in folders for path in (root / folder).rglob("*")):
        if path.suffix not in (".py", ".pyx", ".c", ".h") or _is_made_by_cython(path):
            continue
        place = path.relative_to(root).as_posix()
        n_lines, most = len(path.read_text(encoding="utf-8").splitlines()), allowed.get(place, MOST_LINES)
        if n_lines > most:
            found.append(f"{place}:{most + 1}: it has {n_lines} lines; a file has at most {most}")
    return found


def _is_made_by_cython(path: Path) -> bool:
    return path.suffix == ".c" and path.with_suffix(".pyx").exists()


def many_positional(sources: Sources) -> list[str]:
    """Return the functions that take more than seven arguments by position, the object itself left out.

    Cython's are not looked at: their kernels take their arguments in the order of the C functions.
    """
    found = []
    for module in sources.modules.values():
        methods = {
            id(function)
            for node in ast.walk(module.tree)
            if isinstance(node, ast.ClassDef)
            for function in node.body
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
            and not any(ast.unparse(one) == "staticmethod" for one in function.decorator_list)
        }
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                n = len(node.args.posonlyargs) + len(node.args.args) - (id(node) in methods)
                if n > MOST_POSITIONAL:
                    found.append(
                        f"{module.place}:{node.lineno}: {node.name} takes {n} arguments by position; "
                        f"the most are {MOST_POSITIONAL}, the others go behind a *"
                    )
    return found
