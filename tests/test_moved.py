"""Import paths of version 0.1.0 lead to the same objects."""

from __future__ import annotations

from importlib import import_module

import pytest

from pquant_hls._moved import HLS_NAMES, MODULES, moved


@pytest.mark.parametrize("old", sorted(MODULES))
def test_an_old_module_is_the_new_one(old: str) -> None:
    new = moved(f"pquant_hls.{old}")
    assert new is not None
    module = import_module(new)
    spec = module.__spec__
    assert import_module(f"pquant_hls.{old}") is import_module(spec.name if spec is not None else new)


def test_what_did_not_move_is_not_found_elsewhere() -> None:
    assert moved("pquant_hls.qor.graph") is None
    with pytest.raises(ModuleNotFoundError, match=r"pquant_hls\.hls\.nothing"):
        import_module("pquant_hls.hls.nothing")


@pytest.mark.parametrize(
    ("room", "name"), [(room, name) for room, names in HLS_NAMES.items() for name in names]
)
def test_names_of_the_hls_room_are_still_offered_there(room: str, name: str) -> None:
    assert getattr(import_module("pquant_hls.hls"), name) is getattr(
        import_module(f"pquant_hls.{room}"), name
    )


@pytest.mark.parametrize("name", ["load_model", "build_mlp", "fit", "roc_auc", "model_digest"])
def test_names_of_the_models_room_are_still_offered_there(name: str) -> None:
    room = "train" if name in {"fit", "roc_auc"} else "network"
    assert getattr(import_module("pquant_hls.models"), name) is getattr(
        import_module(f"pquant_hls.{room}"), name
    )
