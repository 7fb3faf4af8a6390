"""Read checkpoints and tokenizers from a folder or the hub: safetensors only, quietly, never foreign code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    EncoderDecoderModel,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)
from transformers.models.auto.auto_factory import _BaseAutoModelClass  # pyright: ignore[reportPrivateUsage]

from tinybert.checksums import CHECKSUMS, TOKENIZER, WEIGHTS, describe_damage, find_damage
from tinybert.errors import ModelError
from tinybert.models.adapters import merge_adapter
from tinybert.models.families import encoder
from tinybert.models.fit import check_activation, check_embeddings, check_labels, fit_tokenizer
from tinybert.models.generation import NewDecoder
from tinybert.models.head import (
    NOTES,
    SEQ2SEQ,
    SEQUENCE,
    Head,
    auto_class,
    copy_head,
    head_of,
    set_head,
    set_labels,
)
from tinybert.models.making import making
from tinybert.models.mpnet import switch_kernel
from tinybert.models.other_formats import refuse_marked, refuse_pickled, refuse_pointers
from tinybert.models.quiet import COPY, SENTENCEPIECE_FILES, quietly
from tinybert.models.seq2seq import join_decoder, made_one, special_tokens, tie_tables
from tinybert.sources import fetch, is_bundled
from tinybert.sources.hub import hub_problem, missing
from tinybert.storage import name_problem

LAYER = re.compile(r"\.layers?\.\d+\.")
"""In the name of a weight of the encoder's layers: where one is of no use, the config has too few layers."""
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", *SENTENCEPIECE_FILES)


def checkpoint_path(name: str | Path, *, hashes: bool = False) -> str | Path:
    """Return where a checkpoint is: a bundled one fetched, an adapter merged, any other name unchanged.

    Args:
        name: The checkpoint.
        hashes: Compare those of a bundled one too.
    """
    if is_bundled(name):
        return fetch(str(name), hashes=hashes)
    folder = Path(name).expanduser()
    merged = merge_adapter(folder)
    return name if merged == folder else merged


def load_config(path: str | Path) -> PreTrainedConfig:
    """Read the config of a checkpoint.

    Raises:
        ModelError: The folder or its config.json is missing or broken, it names an unknown activation, or the
            hub cannot be reached.
    """
    folder = _local(path, need_weights=False)
    with quietly(path):
        config = AutoConfig.from_pretrained(folder or str(path), trust_remote_code=False)
    check_activation(path, config)
    return config


def has_task_head(source: str | Path | PreTrainedConfig, head: Head | None = None) -> bool:
    """Say whether a checkpoint was saved with a task's head, or with this one."""
    config = source if isinstance(source, PreTrainedConfig) else load_config(source)
    kind = head_of(config)
    return kind is not None and (head is None or kind == head)


def load_classifier(
    path: str | Path,
    *,
    num_labels: int | None = None,
    id2label: Mapping[int, str] | None = None,
    problem_type: str | None = None,
    head: Head | None = None,
    dtype: torch.dtype = torch.float32,
    new_head: bool = False,
    seed: int = 0,
) -> PreTrainedModel:
    """Load a checkpoint with a task's head, in evaluation mode.

    Args:
        path: Folder or hub name.
        num_labels: Classes (1 for regression); None keeps the checkpoint's.
        id2label: Names of the classes; None keeps the checkpoint's.
        problem_type: As in transformers: single_label_classification, …; None keeps the checkpoint's.
        head: What it outputs; None keeps the checkpoint's, or takes one output a text. A checkpoint with
            another head gets a new one.
        dtype: Of the weights in memory.
        new_head: Draw a new head although the checkpoint has one.
        seed: For the head, when the checkpoint has none.

    Raises:
        ModelError: The checkpoint cannot be read, its weights are not those its config asks for, or its
            head has another number of classes.
    """
    config = load_config(path)
    if (head or head_of(config)) == SEQ2SEQ:
        return load_seq2seq(path, dtype=dtype, seed=seed)
    before, had_head = head_of(config), has_task_head(config, head)
    given = config.num_labels if had_head else num_labels
    if num_labels is not None and given != num_labels and not new_head:
        raise ModelError(
            str(path),
            f"its head predicts {given} classes, the data has {num_labels}; "
            "fine-tune it on this data first, or give the checkpoint it was fine-tuned from",
        )
    set_labels(config, num_labels=num_labels, id2label=id2label, problem_type=problem_type)
    set_head(config, head or head_of(config) or SEQUENCE)
    wants_head = had_head and not new_head
    model = load_model(auto_class(config), path, config, dtype=dtype, seed=seed, wants_head=wants_head)
    if before is not None and not wants_head:  # its own head must not pass for the new one
        with making(seed):
            fresh = auto_class(config).from_config(config, dtype=dtype)
        copy_head(cast(PreTrainedModel, fresh), model)
    return model


def load_seq2seq(
    path: str | Path,
    *,
    decoder: NewDecoder | None = None,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
) -> PreTrainedModel:
    """Load an encoder–decoder, or put a new decoder beside an encoder, in evaluation mode.

    Args:
        path: Folder or hub name.
        decoder: How a decoder is made where the checkpoint has none.
        dtype: Of the weights in memory.
        seed: Of what is drawn at random.

    Raises:
        ModelError: The checkpoint cannot be read, or has no decoder and none is to be made.
    """
    config = load_config(path)
    if head_of(config) == SEQ2SEQ:
        model = load_model(SEQ2SEQ.auto_class, path, config, dtype=dtype, seed=seed, wants_head=True)
        return made_one(model) if isinstance(model, EncoderDecoderModel) else model
    if decoder is None:
        raise ModelError(str(path), "has no decoder, so it cannot write texts; fine-tune it first")
    reader = load_encoder(path, dtype=dtype, seed=seed)
    num_layers = decoder.num_layers or max(1, reader.config.num_hidden_layers // 3)
    tokens = special_tokens(load_tokenizer(path))
    return join_decoder(reader, tokens, num_layers=num_layers, start=decoder.start, seed=seed)


def load_encoder(path: str | Path, *, dtype: torch.dtype = torch.float32, seed: int = 0) -> PreTrainedModel:
    """Load a checkpoint's bare encoder, that of an encoder–decoder too, in evaluation mode.

    Args:
        path: Folder or hub name.
        dtype: Of the weights in memory.
        seed: For a pooler, when the checkpoint has none.

    Raises:
        ModelError: The checkpoint cannot be read.
    """
    config = load_config(path)
    if head_of(config) == SEQ2SEQ:
        return encoder(load_seq2seq(path, dtype=dtype, seed=seed))
    return load_model(AutoModel, path, config, dtype=dtype, seed=seed)


def load_model(
    auto: type[_BaseAutoModelClass],
    path: str | Path,
    config: PreTrainedConfig,
    *,
    dtype: torch.dtype,
    seed: int,
    wants_head: bool = False,
) -> PreTrainedModel:
    """Load a checkpoint as a class of ``transformers``, in evaluation mode.

    Args:
        auto: The class.
        path: Folder or hub name.
        config: Its config.
        dtype: Of the weights in memory.
        seed: Of what is drawn at random.
        wants_head: The checkpoint must hold the head's weights too.

    Raises:
        ModelError: It cannot be read, or its weights are not those its config asks for.
    """
    folder = _local(path, need_weights=True)
    # with its head a checkpoint is whole, or refused: nothing is drawn
    with quietly(path), making(None if wants_head else seed):
        model, info = auto.from_pretrained(
            folder or str(path),
            config=config,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    _check_weights(path, cast(PreTrainedModel, model), info, wants_head=wants_head)
    check_embeddings(path, cast(PreTrainedModel, model))
    switch_kernel(cast(PreTrainedModel, model).base_model, on=True)
    return cast(PreTrainedModel, model).eval()


def count_parameters(config: PreTrainedConfig) -> int:
    """Return how many weights a classifier of this config has; none is made."""
    with torch.device("meta"):
        model = auto_class(config).from_config(config)
        if hasattr(config, NOTES):  # a pair of ours shares its table
            tie_tables(cast(PreTrainedModel, model))
    return sum(parameter.numel() for parameter in cast(PreTrainedModel, model).parameters())


def load_tokenizer(path: str | Path) -> PreTrainedTokenizerBase:
    """Load a tokenizer without the padding and truncation its file may fix, and without unused type ids.

    Where a model stands beside it, the two are compared.

    Raises:
        ModelError: The folder holds no tokenizer, it cannot be read, or it does not fit the model beside it.
    """
    folder = _local(path, need_weights=False, need_config=False)
    if folder and not any((folder / name).is_file() for name in TOKENIZER_FILES):
        # transformers would continue with an empty vocabulary
        raise ModelError(str(path), f"no tokenizer here (looked for {', '.join(TOKENIZER_FILES)})")
    if folder:
        _refuse_damaged(folder, *TOKENIZER)
    with quietly(path):
        tokenizer = cast(PreTrainedTokenizerBase, AutoTokenizer.from_pretrained(folder or str(path)))
    if isinstance(tokenizer, PreTrainedTokenizerFast):
        tokenizer.backend_tokenizer.no_padding()
        tokenizer.backend_tokenizer.no_truncation()
    if folder is None or (folder / "config.json").is_file():
        fit_tokenizer(path, tokenizer, load_config(path))
    return tokenizer


def _check_weights(
    path: str | Path, model: PreTrainedModel, info: Mapping[str, Iterable[object]], *, wants_head: bool
) -> None:
    """Refuse a checkpoint whose weights are not those its config asks for: they would be drawn at random.

    A head that is drawn at random may be missing or of another size, with the pooler that goes with it.
    """
    prefix = "" if model.base_model is model else model.base_model_prefix + "."

    def is_needed(name: str) -> bool:
        return wants_head or (name.startswith(prefix) and not name.startswith(prefix + "pooler."))

    missing = [name for name in map(str, info["missing_keys"]) if is_needed(name)]
    wrong = [
        name for name in (str(cast(tuple[str], key)[0]) for key in info["mismatched_keys"]) if is_needed(name)
    ]
    unused = [str(key) for key in info["unexpected_keys"]]
    problems = [
        f"{what}: {', '.join(sorted(names)[:3])}{', …' if len(names) > 3 else ''} ({len(names)})"
        for what, names in (
            ("not there", missing),
            ("of another size", wrong),
            ("there, but of no use", unused if missing or any(map(LAYER.search, unused)) else []),
        )
        if names
    ]
    if problems:
        fix = "fix config.json, or save the model once more with save_pretrained"
        raise ModelError(
            str(path), f"its weights are not those its config.json asks for: {'; '.join(problems)}; {fix}"
        )


def _local(path: str | Path, *, need_weights: bool, need_config: bool = True) -> Path | None:
    """Return the folder, or None for a hub name; say what is wrong with a folder."""
    path = checkpoint_path(path, hashes=need_weights)
    if problem := name_problem(path):
        raise ModelError(str(path), problem)
    folder = Path(path).expanduser()
    if not folder.is_dir():
        if folder.exists():
            raise ModelError(str(path), "a file; give the folder of a run or of a checkpoint")
        if isinstance(path, Path):
            raise ModelError(str(path), missing(path))
        if problem := hub_problem(path, "model"):
            raise ModelError(path, problem)
        return None
    folder = _encoder_part(folder)
    refuse_pointers(folder)
    refuse_marked(folder)
    if not need_config:
        return folder
    config = _read_config(folder / "config.json", path)
    check_labels(folder / "config.json", config)
    if need_weights or "model_type" not in config:
        refuse_pickled(folder, config)
    if need_weights and not any(folder.glob("*.safetensors")):
        raise ModelError(str(path), "no *.safetensors: no weights here")
    if need_weights:
        _refuse_damaged(folder, WEIGHTS)
    return folder


def _read_config(file: Path, path: str | Path) -> dict[str, object]:
    """Return what a ``config.json`` holds, as it is written."""
    try:
        config: object = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(str(path), "no config.json here: not a checkpoint") from error
    except OSError as error:
        raise ModelError(str(file), f"cannot be read: {error.strerror or error}{COPY}") from error
    except ValueError as error:
        raise ModelError(str(file), f"not valid JSON: {error}{COPY}") from error
    return cast("dict[str, object]", config) if isinstance(config, dict) else {}


def _refuse_damaged(folder: Path, *patterns: str) -> None:
    """Refuse files of a finished run that are not what was written: many would load without an error."""
    try:
        damage = find_damage(folder, patterns)
    except OSError as error:
        raise ModelError(str(folder), f"cannot be read: {error}") from error
    if damage:
        raise ModelError(
            str(folder),
            f"damaged or changed since it was finished ({describe_damage(damage)}); copy it here once more, "
            f"or make it again; if you changed it yourself, delete {CHECKSUMS} in it",
        )


def _encoder_part(folder: Path) -> Path:
    """Return the part of an old sentence-transformers folder that holds the model (0_Transformer, 0_BERT)."""
    if (folder / "config.json").is_file():
        return folder
    return next((each.parent for each in sorted(folder.glob("0_*/config.json"))), folder)
