"""How a sentence-transformers folder makes one vector of a text's tokens.

Legend: B texts, L tokens, D width.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from tinybert.errors import ModelError
from tinybert.models.load import checkpoint_path

MODULES, SETTINGS = "modules.json", "config_sentence_transformers.json"
MODE = "pooling_mode"
ENCODERS = ("Transformer", "BERT", "RoBERTa", "DistilBERT", "XLMRoBERTa", "CamemBERT")
"""The module that holds the model; older versions name it by its family."""
FLAGS = {f"{MODE}_mean_tokens": "mean", f"{MODE}_cls_token": "cls", f"{MODE}_max_tokens": "max"}
"""Old names of the modes that are known here; the new ones are the values."""


def mean_pool(states_BLD: Tensor, mask_BL: Tensor) -> Tensor:
    """Return the mean of the real tokens, (B, D)."""
    weights_BL1 = mask_BL[..., None].to(states_BLD.dtype)
    return (states_BLD * weights_BL1).sum(1) / weights_BL1.sum(1).clamp_min(1)


def max_pool(states_BLD: Tensor, mask_BL: Tensor) -> Tensor:
    """Return each coordinate's largest value among the real tokens, (B, D)."""
    return states_BLD.masked_fill(~mask_BL[..., None].bool(), -torch.inf).amax(1)


def first_token(states_BLD: Tensor, mask_BL: Tensor) -> Tensor:
    """Return the first token, (B, D)."""
    return states_BLD[:, 0]


POOLINGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": mean_pool,
    "max": max_pool,
    "cls": first_token,
}


@dataclass(frozen=True)
class SentenceEncoder:
    """What a sentence-transformers folder does behind its encoder.

    Attributes:
        pooling: Its mode, by the name of sentence-transformers; several joined by "+".
        unused: What else it has and a classification head cannot: layers, texts put before each text.
    """

    pooling: str
    unused: tuple[str, ...] = ()


def read_sentence_encoder(path: str | Path) -> SentenceEncoder | None:
    """Return what a sentence-transformers folder does behind its encoder; None for any other checkpoint.

    A hub name is not looked up: only a folder has its ``modules.json`` at hand.

    Raises:
        ModelError: A file is missing or damaged, or a module lies outside the folder.
    """
    folder = Path(checkpoint_path(path)).expanduser()
    if not (folder / MODULES).is_file():
        return None
    modules = _read(folder / MODULES)
    if not isinstance(modules, list) or not all(isinstance(each, dict) for each in modules):
        raise ModelError(str(folder / MODULES), "not a list of modules; copy the folder again")
    pooling, unused = "mean", list[str]()
    for module in cast(list[dict[str, object]], modules):
        kind = str(module.get("type", "")).rpartition(".")[2]
        if kind == "Pooling":
            pooling = _mode(_inside(folder, str(module.get("path", ""))) / "config.json")
        elif kind not in ENCODERS and kind != "Normalize":
            unused.append(str(module.get("path") or kind))
    return SentenceEncoder(pooling, (*unused, *_prompts(folder / SETTINGS)))


def copy_sentence_encoder(source: str | Path, target: Path) -> None:
    """Copy what says how a sentence-transformers folder pools; of another checkpoint there is nothing.

    Raises:
        ModelError: As :func:`read_sentence_encoder`.
    """
    if read_sentence_encoder(source) is None:
        return
    folder = Path(checkpoint_path(source)).expanduser()
    modules = cast(list[dict[str, object]], _read(folder / MODULES))
    parts = [str(each["path"]) for each in modules if str(each.get("type")).endswith("Pooling")]
    for name in (MODULES, SETTINGS, *(f"{part}/config.json" for part in parts if part)):
        if (folder / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, target / name)


def _inside(folder: Path, name: str) -> Path:
    """Return a folder's part.

    Raises:
        ModelError: It lies outside.
    """
    part = (folder / name).resolve()
    if not part.is_relative_to(folder.resolve()):
        raise ModelError(str(folder / MODULES), f"path = {name!r}: lies outside the folder")
    return part


def _mode(file: Path) -> str:
    """Return the mode of a pooling, which older versions write as flags."""
    config = _read(file)
    if not isinstance(config, dict):
        raise ModelError(str(file), "not a pooling's settings; copy the folder again")
    settings = cast(Mapping[str, object], config)
    if MODE in settings:
        given = settings[MODE]
        return "+".join(map(str, cast(list[object], given))) if isinstance(given, list) else str(given)
    on = [name for name, value in settings.items() if name.startswith(MODE) and value is True]
    return "+".join(FLAGS.get(name, name.removeprefix(f"{MODE}_")) for name in on) or "none"


def _prompts(file: Path) -> list[str]:
    """Return the texts that are put before each text."""
    settings = _read(file) if file.is_file() else {}
    prompts = cast(Mapping[str, object], settings).get("prompts") if isinstance(settings, dict) else None
    texts = cast(Mapping[str, object], prompts).values() if isinstance(prompts, dict) else ()
    return [repr(text) for text in texts if text]


def _read(file: Path) -> object:
    try:
        return cast(object, json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ModelError(str(file), f"cannot be read ({error}); copy the folder again") from error
