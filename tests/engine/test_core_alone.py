"""The C core without Python: on an emulated ARM processor, and under the thread sanitizer."""

import shutil
import subprocess
from pathlib import Path

import pytest

from fastmlp.engine import core

ROOT = Path(__file__).parents[2]
FLAGS = ["-std=c11", "-O2", "-ffp-contract=off", "-fno-math-errno", "-pthread", "-static"]
FUSED = [isa for isa in core.instruction_sets() if isa != "portable"]
ARM_COMPILER, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"

pytestmark = pytest.mark.campaign


def build(compiler, folder, *flags, name="driver"):
    """Build this program of tests/engine/core_alone with the core; return it."""
    program = folder / name
    sources = sorted((ROOT / "csrc").rglob("*.c"))
    command = [
        compiler,
        *flags,
        f"-I{ROOT / 'csrc'}",
        *sources,
        ROOT / f"tests/engine/core_alone/{name}.c",
        "-o",
        program,
    ]
    subprocess.run([*map(str, command), "-lm"], check=True, timeout=600)
    return program


def hashes(*command):
    """Return the lines that the driver prints, one for each training."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True, timeout=600)
    lines = done.stdout.splitlines()
    assert len(lines) == 128
    return lines


@pytest.fixture(scope="module")
def native(tmp_path_factory):
    """The driver for this machine, and what it trains on one thread with its best instruction set."""
    program = build("cc", tmp_path_factory.mktemp("native"), *FLAGS)
    return program, hashes(program, FUSED[-1], 1)


@pytest.mark.skipif(not FUSED, reason="this processor has no fused multiply-add")
def test_instruction_sets_and_threads_give_the_same_bits(native):
    program, expected = native
    for isa in FUSED:
        for n_threads in (1, 2, 3, 5):
            assert hashes(program, isa, n_threads) == expected


@pytest.mark.skipif(not FUSED, reason="this processor has no fused multiply-add")
@pytest.mark.skipif(
    shutil.which(ARM_COMPILER) is None or shutil.which(EMULATOR) is None,
    reason="needs Debian's gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user",
)
def test_neon_gives_the_same_bits_in_an_emulator(native, tmp_path):
    program = build(ARM_COMPILER, tmp_path, *FLAGS)
    for n_threads in (1, 3):
        assert hashes(EMULATOR, program, "neon", n_threads) == native[1]


def test_the_thread_sanitizer_finds_no_race(tmp_path):
    flags = [flag for flag in FLAGS if flag != "-static"]
    program = build("cc", tmp_path, *flags, "-g", "-fsanitize=thread")
    isa = core.instruction_sets()[-1]
    assert hashes(program, isa, 4) == hashes(program, isa, 1)  # it ends with 66 where it finds one


def test_teams_come_and_go_without_a_race(tmp_path):
    flags = [flag for flag in FLAGS if flag != "-static"]
    program = build("cc", tmp_path, *flags, "-g", "-fsanitize=thread", name="teams")
    done = subprocess.run([str(program)], capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stderr) == (0, "")
