"""What pip makes of the checkout: sdist, wheel, installation, and the sentence where nothing was built."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)


def test_a_checkout_that_was_not_built_says_what_to_run(tmp_path):
    package = tmp_path / "fastmlp"
    for source in sorted((ROOT / "fastmlp").rglob("*.py")):
        target = package / source.relative_to(ROOT / "fastmlp")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    process = run(sys.executable, "-c", "import fastmlp", cwd=tmp_path)
    last = process.stderr.strip().splitlines()[-1]
    assert process.returncode == 1
    assert last.startswith("ImportError: ")
    assert "pip install -e ." in last


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """Build the sdist, and from it the wheel, each in an environment of its own."""
    folder = tmp_path_factory.mktemp("dist")
    process = run(sys.executable, "-m", "build", "--outdir", folder, ROOT)
    assert process.returncode == 0, process.stdout + process.stderr
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


@pytest.mark.campaign
def test_sdist_holds_every_source(distributions):
    with tarfile.open(distributions[0]) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    tracked = run("git", "ls-files", "csrc", "fastmlp", "tests", "benchmarks", cwd=ROOT).stdout.split()
    assert len(tracked) > 50
    assert set(tracked) <= names
    assert {"LICENSE", "README.md", "pyproject.toml", "setup.py", "Makefile"} <= names
    assert not [name for name in names if name.endswith(".so") or name.startswith("fastmlp/engine/native.c")]


@pytest.mark.campaign
def test_wheel_holds_what_runs_and_nothing_else(distributions):
    with zipfile.ZipFile(distributions[1]) as archive:
        names = archive.namelist()
    assert not [name for name in names if name.endswith((".pyx", ".pxd", ".c", ".h"))]
    assert {"fastmlp/py.typed", "fastmlp/engine/native.pyi"} <= set(names)
    assert {"fastmlp/studies/page/report.html.jinja", "fastmlp/studies/page/report.css.jinja"} <= set(names)
    compiled = {Path(name).name.split(".")[0] for name in names if name.endswith(".so")}
    assert compiled == {source.stem for source in (ROOT / "fastmlp/engine").glob("*.pyx")}
    assert {name.split("/")[0].split("-")[0] for name in names} == {"fastmlp"}


@pytest.mark.campaign
def test_the_wheel_is_small_and_has_no_debug_symbols(distributions):
    assert distributions[1].stat().st_size < 3_000_000
    with zipfile.ZipFile(distributions[1]) as wheel:
        modules = [name for name in wheel.namelist() if name.endswith(".so")]
        assert modules
        assert not [name for name in modules if b".debug_info" in wheel.read(name)]


@pytest.mark.campaign
def test_an_installed_wheel_trains_from_another_folder(distributions, tmp_path):
    python = tmp_path / "venv" / "bin" / "python"
    assert run(sys.executable, "-m", "venv", tmp_path / "venv").returncode == 0
    installed = run(python, "-m", "pip", "install", distributions[1])
    assert installed.returncode == 0, installed.stderr
    script = """
import fastmlp
data = fastmlp.datasets.load_digits()
print(fastmlp.fit(data.X_train, data.y_train, random_state=0).score(data.X_test, data.y_test))
fastmlp.show_config()
"""
    process = run(python, "-c", script, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert float(process.stdout.splitlines()[0]) > 0.93
    command = run(tmp_path / "venv" / "bin" / "fastmlp", "info", cwd=tmp_path)
    assert "pip install 'fastmlp[cli]'" in command.stderr
