"""Tests of the tables that show a network: what they count, and that HTML says what the text does."""

from html.parser import HTMLParser

import numpy as np
import pytest

from fastmlp import Network
from fastmlp.layers import Dense
from fastmlp.network.preparation import Preparation

LAYERS = [Dense(9, "leaky_relu(0.2)", batch_norm=True), Dense(6, "prelu", dropout=0.25), Dense(3, "softmax")]


def make_network(**options):
    return Network(LAYERS, 5, engine="blas", **options)


def numbers_of(text):
    """Return the three totals: all parameters, those that are trained, and the others."""
    lines = text.splitlines()[-3:]
    return [int(line.partition(":")[2].split()[0].replace(",", "")) for line in lines]


def test_every_layer_has_a_row():
    title, inputs, head, _, *rows = make_network().summary().splitlines()
    assert title == "Network 5-9-6-3, float32, blas engine"
    assert inputs == "Inputs: 5 features"
    assert head.split() == ["Layer", "Activation", "Outputs", "Parameters", "Also"]
    assert [row.split() for row in rows[:3]] == [
        ["0", "leaky_relu(0.2)", "9", "81", "batch", "norm"],
        ["1", "prelu", "6", "66", "dropout", "0.25"],
        ["2", "softmax", "3", "21"],
    ]


def test_the_totals_are_those_of_the_parts():
    network = make_network(dtype="float64")
    sizes = [{name: part.size for name, part in parts.items()} for parts in network.parts()]
    total = sum(sum(one.values()) for one in sizes)
    running = sizes[0]["mean"] + sizes[0]["variance"]
    assert numbers_of(network.summary()) == [total, total - running, running]
    assert f"({8 * total:,} bytes)" in network.summary()


@pytest.mark.parametrize("layers", [[0], [-1], [0, 1, 2]])
def test_frozen_layers_are_not_trainable(layers):
    network = make_network()
    total, trainable, _ = numbers_of(network.summary())
    network.freeze(layers)
    parts = network.parts()
    learned = sum(
        part.size for i in layers for name, part in parts[i].items() if name not in ("mean", "variance")
    )
    assert numbers_of(network.summary()) == [total, trainable - learned, total - trainable + learned]
    assert network.summary().count("frozen") == len(layers)


def test_standardised_inputs_and_bfloat16_are_told():
    text = make_network(preparation=Preparation(np.zeros(5), np.ones(5))).summary()
    assert "5 features, standardised" in text
    mixed = Network([Dense(1)], 1, dtype="bfloat16", engine="reference").summary()
    assert mixed.splitlines()[:2] == ["Network 1-1, bfloat16, reference engine", "Inputs: 1 feature"]


class Cells(HTMLParser):
    """Collects the text of a table's cells; every tag must be closed."""

    def __init__(self):
        super().__init__()
        self.open, self.cells = [], []

    def handle_starttag(self, tag, attributes):
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.cells.append(data)


def test_the_html_has_the_cells_of_the_text():
    network = make_network()
    reader = Cells()
    reader.feed(network._repr_html_())
    assert not reader.open
    table = network.summary().splitlines()
    assert " ".join(reader.cells).split() == " ".join([table[2], *table[4:7]]).split()
    for line in (*table[:2], *table[-3:]):
        assert line in network._repr_html_()


def test_the_html_escapes_what_it_shows(monkeypatch):
    network = make_network()
    monkeypatch.setattr(network, "_computed_in", "<b>&")
    assert "&lt;b&gt;&amp;" in network._repr_html_()
