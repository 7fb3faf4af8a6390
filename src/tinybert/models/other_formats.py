"""Folders that are no checkpoint of safetensors: what they are, and the command that makes one of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from tinybert.errors import ModelError

ADAPTER = "adapter_config.json"
PEFT_CLASSES = {
    "SEQ_CLS": "AutoPeftModelForSequenceClassification",
    "TOKEN_CLS": "AutoPeftModelForTokenClassification",
    "QUESTION_ANS": "AutoPeftModelForQuestionAnswering",
    "FEATURE_EXTRACTION": "AutoPeftModelForFeatureExtraction",
}
"""What an adapter says it was trained for → the class of ``peft`` that loads it on its base model."""


def refuse_adapter(folder: Path) -> None:
    """Refuse an adapter, alone or beside its base weights, which would be read without it.

    Raises:
        ModelError: With the command that merges it into the base model.
    """
    if not (folder / ADAPTER).is_file():
        return
    try:
        content: object = json.loads((folder / ADAPTER).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(str(folder / ADAPTER), f"not valid JSON: {error}") from error
    settings = cast("Mapping[str, object]", content) if isinstance(content, dict) else {}
    kind = PEFT_CLASSES.get(str(settings.get("task_type")), "AutoPeftModel")
    base = settings.get("base_model_name_or_path") or "its base model"
    raise ModelError(
        str(folder),
        f"holds an adapter ({ADAPTER}) of {base}, which is not read; merge it (for a head of other than two "
        f"classes with num_labels=N in from_pretrained), and give the new folder: pip install peft; "
        + _command(folder, "peft", kind, "merged", change=".merge_and_unload()"),
    )


def refuse_pickled(folder: Path, config: Mapping[str, object]) -> None:
    """Refuse weights that are pickled: reading a pickle may run foreign code.

    Args:
        folder: Of the checkpoint.
        config: The content of its config.json.

    Raises:
        ModelError: With the command that saves them as safetensors.
    """
    if any(folder.glob("*.safetensors")) or not any(folder.glob("pytorch_model*.bin")):
        return
    if "model_type" in config:
        names = config.get("architectures")
        kind = str(cast("list[object]", names)[0]) if isinstance(names, list) and names else "AutoModel"
        what, tokenizer = "no *.safetensors: its weights are pickled", "AutoTokenizer"
    else:
        kind, tokenizer = "BertModel", "BertTokenizer"
        what = (
            "no model_type in config.json and pickled weights, as in the release of the TinyBERT paper: a "
            "BERT whose fit_denses only served its own distillation (for a fine-tuned one write "
            "BertForSequenceClassification, and num_labels=N in from_pretrained)"
        )
    command = _command(folder, "transformers", kind, "safetensors", tokenizer=tokenizer)
    raise ModelError(
        str(folder), f"{what}; if you trust them, convert them and give the new folder: {command}"
    )


def _command(
    folder: Path, package: str, kind: str, ending: str, *, tokenizer: str = "AutoTokenizer", change: str = ""
) -> str:
    """Return a line for the shell that saves a model and its tokenizer in a folder beside this one."""
    code = (
        f"from {package} import {kind} as M; from transformers import {tokenizer} as T; "
        f"old = {str(folder)!r}; new = old + '-{ending}'; "
        f"M.from_pretrained(old){change}.save_pretrained(new); T.from_pretrained(old).save_pretrained(new)"
    )
    return f'python -c "{code}"'
