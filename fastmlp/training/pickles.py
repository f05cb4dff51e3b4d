"""A trainer in pickles and copies: a version, its network, and plain dictionaries of the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from fastmlp._support.pickle_forms import check_pickle_form
from fastmlp.network.network import Network
from fastmlp.training.settings import Settings
from fastmlp.training.state import Snapshot, State

#: Of the form that `to_dict` returns.
VERSION = 1


def to_dict(network: Network, settings: Settings, state: State) -> dict[str, Any]:
    """Return all that makes a trainer; of its state numbers, texts, vectors, History and Watch."""
    parts = {one.name: getattr(state, one.name) for one in fields(state) if one.name != "network"}
    if state.best is not None:
        parts["best"] = {"vectors": state.best.vectors, "epoch": state.best.epoch}
    return {"version": VERSION, "network": network, "settings": dict(vars(settings)), "state": parts}


def from_dict(pickled: Mapping[str, Any]) -> tuple[Network, Settings, State]:
    """Return what `to_dict` was given.

    Raises
    ------
    ValueError
        If another version of fastmlp made it, in another form.
    """
    check_pickle_form("this trainer", pickled.get("version"), VERSION)
    network, parts = pickled["network"], pickled["state"]
    best = parts["best"] and Snapshot(**parts["best"])
    return network, Settings(**pickled["settings"]), State(network, **parts | {"best": best})
