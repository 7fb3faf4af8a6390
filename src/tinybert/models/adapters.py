"""Adapters (LoRA, arXiv:2106.09685, …) are merged into their base model by peft, in the cache."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from safetensors import safe_open
from transformers import AutoModel, AutoTokenizer, PreTrainedConfig, PreTrainedModel
from transformers.models.auto.auto_factory import _BaseAutoModelClass  # pyright: ignore[reportPrivateUsage]

from tinybert.console import say
from tinybert.errors import ModelError
from tinybert.models.head import QUESTION, SEQUENCE, TOKEN, Head
from tinybert.models.making import making
from tinybert.models.quiet import quietly
from tinybert.sources.hub import hub_problem
from tinybert.storage import Output, cache_folder, keep_nothing

SETTINGS, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
HEADS = {"SEQ_CLS": SEQUENCE, "TOKEN_CLS": TOKEN, "QUESTION_ANS": QUESTION}
"""What an adapter says it was trained for → the head that goes with it."""
OWN_KEYS = "base_model.model."


def merge_adapter(folder: Path) -> Path:
    """Return a checkpoint of an adapter and its base model, merged; of any other folder the folder itself.

    Args:
        folder: With ``adapter_config.json`` where it is an adapter.

    Raises:
        ModelError: The adapter, or the model it belongs to, cannot be read, or peft is not installed.
    """
    if not (folder / SETTINGS).is_file():
        return folder
    settings = _settings(folder)
    base = _base(folder, settings)
    if not (folder / WEIGHTS).is_file():
        raise ModelError(str(folder), f"no {WEIGHTS}: an adapter without weights in safetensors is not read")
    if find_spec("peft") is None:
        advice = "is merged by peft; run: pip install peft, and give the same command again"
        raise ModelError(str(folder), f"holds an adapter ({SETTINGS}) of {base}, which {advice}")
    target = cache_folder() / f"merged-{_digest(folder, base)[:16]}"
    if target.is_dir():
        return target
    with Output(target, {}, report="", keep=keep_nothing, replaces=True, waits=True) as output:
        with (
            quietly(folder, f"its adapter cannot be merged into {base}"),
            making(seed=0),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")  # of peft and transformers about each other
            _merge(folder, base, HEADS.get(str(settings.get("task_type"))), output.path)
        output.commit({})
    say(f"{folder}: an adapter, merged into {base}")
    return target


def _settings(folder: Path) -> Mapping[str, object]:
    try:
        content: object = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(str(folder / SETTINGS), f"not valid JSON: {error}") from error
    return cast("Mapping[str, object]", content) if isinstance(content, dict) else {}


def _base(folder: Path, settings: Mapping[str, object]) -> str:
    """Return the model that an adapter belongs to: as transformers does, the one that it names.

    Weights beside an adapter may hold it already, so they are not taken for its base.
    """
    base = settings.get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        problem = f"{SETTINGS} does not name its base model (base_model_name_or_path)"
    else:
        place = Path(base).expanduser()
        if place.is_dir() and place.resolve() != folder.resolve():
            return str(place)
        problem = f"its base model {base} is not here"
        if place.resolve() == folder.resolve():
            problem = f"{SETTINGS} names its own folder as its base model"
        elif not place.is_absolute() and hub_problem(base, "model") is None:
            return base
    fix = f"write the folder of the model it was trained on into {SETTINGS}, base_model_name_or_path"
    if any(each.name != WEIGHTS for each in folder.glob("*.safetensors")):
        fix += (
            f"; if the weights beside it hold the adapter already, delete {SETTINGS}; if they are its base, "
            "move them, with config.json, to a folder of their own"
        )
    raise ModelError(str(folder), f"holds an adapter ({SETTINGS}), and {problem}; {fix}")


def _digest(folder: Path, base: str) -> str:
    """Return one SHA-256 of an adapter's content and of what identifies the files of its base model."""
    digest = hashlib.sha256(base.encode())
    for name in (SETTINGS, WEIGHTS):
        digest.update((folder / name).read_bytes())
    for file in sorted([*folder.iterdir(), *(Path(base).iterdir() if Path(base).is_dir() else ())]):
        digest.update(f"{file} {file.stat().st_size} {file.stat().st_mtime_ns}".encode())
    return digest.hexdigest()


def _merge(folder: Path, base: str, head: Head | None, target: Path) -> None:
    from peft import PeftModel

    with safe_open(folder / WEIGHTS, "pt") as weights:  # pyright: ignore[reportUnknownVariableType]
        shapes = {name: weights.get_slice(name).get_shape() for name in weights.keys()}  # noqa: SIM118
    known = {name.removeprefix(OWN_KEYS): shape for name, shape in shapes.items()}
    model = _load(folder, base, head, known)
    adapted = cast("Any", PeftModel.from_pretrained(model, str(folder)))
    adapted.merge_and_unload().save_pretrained(target)
    has_tokenizer = (folder / "tokenizer_config.json").is_file()
    AutoTokenizer.from_pretrained(str(folder) if has_tokenizer else base).save_pretrained(target)


def _load(folder: Path, base: str, head: Head | None, known: Mapping[str, list[int]]) -> PreTrainedModel:
    """Load the base model with the head that the adapter was trained with."""
    auto: type[_BaseAutoModelClass] = head.auto_class if head else AutoModel
    config = PreTrainedConfig.from_pretrained(folder) if (folder / "config.json").is_file() else None
    labels = {} if config is None else {"id2label": config.id2label, "label2id": config.label2id}
    sizes = [shape[0] for name, shape in known.items() if head in (SEQUENCE, TOKEN) and _is_output(name)]
    num_labels = {"num_labels": sizes[-1]} if sizes else {}
    model, info = auto.from_pretrained(
        base,
        **(labels if sizes and config is not None and config.num_labels == sizes[-1] else num_labels),
        use_safetensors=True,
        trust_remote_code=False,
        output_loading_info=True,
        ignore_mismatched_sizes=True,
    )
    _check_head(folder, cast("Iterable[str]", info["missing_keys"]), known)
    return cast(PreTrainedModel, model)


def _is_output(name: str) -> bool:
    """Return whether a weight is that of the layer that makes the logits, the last of a head."""
    return name.endswith(("classifier.weight", "score.weight", "out_proj.weight"))


def _check_head(folder: Path, missing: Iterable[str], known: Iterable[str]) -> None:
    """Refuse a head that neither the base model nor the adapter has: it would be drawn at random."""
    there = tuple(known)
    lost = [name for name in missing if "pooler" not in name and not any(name in each for each in there)]
    if lost:
        raise ModelError(
            str(folder),
            f"neither the adapter nor its base model holds {', '.join(sorted(lost)[:3])}: a head that was "
            "not saved (modules_to_save of peft); save the adapter once more with it",
        )
