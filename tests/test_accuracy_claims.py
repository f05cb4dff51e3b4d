"""What the README says of accuracy and memory, on the real images.

A campaign: it needs MNIST and Fashion-MNIST, from FASTMLP_DATA, the cache or the network.
"""

import re
import subprocess
import sys

import pytest

import fastmlp

pytestmark = pytest.mark.campaign

MEMORY_SCRIPT = """
import re
import fastmlp

def resident(name):
    with open("/proc/self/status") as status:
        return int(re.search(name + r":\\s+(\\d+) kB", status.read())[1]) / 1024

data = fastmlp.datasets.load_fashion_mnist()
fit = fastmlp.fit  # imports what it needs, which is not the training's
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the high-water mark begins again at what is resident now
before = resident("VmRSS")
model = fit(data.X_train, data.y_train, max_iter=1, random_state=0)
print(resident("VmHWM") - before)
"""


def test_fashion_mnist_reaches_88_6_percent_in_five_epochs_from_python():
    data = fastmlp.datasets.load_fashion_mnist()
    model = fastmlp.fit(data.X_train, data.y_train, hidden_layer_sizes=(256, 128), max_iter=5, random_state=0)
    assert model.n_iter_ == 5
    assert model.score(data.X_test, data.y_test) >= 0.886


def test_fashion_mnist_reaches_88_6_percent_in_five_epochs_from_the_command_line(tmp_path):
    command = [
        sys.executable,
        "-m",
        "fastmlp",
        "train",
        "fashion-mnist",
        "--hidden",
        "256,128",
        "--epochs",
        "5",
    ]
    output = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert float(re.search(r"test accuracy ([\d.]+)", output)[1]) >= 0.886


def test_mnist_reaches_98_3_percent_in_six_epochs():
    data = fastmlp.datasets.load_mnist()
    model = fastmlp.fit(data.X_train, data.y_train, hidden_layer_sizes=(512,), max_iter=6, random_state=0)
    assert model.score(data.X_test, data.y_test) >= 0.983


def test_training_on_bytes_adds_at_most_60_megabytes():
    script = [sys.executable, "-c", MEMORY_SCRIPT]
    added = float(subprocess.run(script, capture_output=True, text=True, check=True).stdout)
    assert 0 < added <= 60
