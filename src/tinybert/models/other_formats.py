"""Folders that are no checkpoint that can be read: what they are, and the command that makes one of them."""

from __future__ import annotations

import shlex
from codecs import BOM_UTF8
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import cast

from tinybert.errors import ModelError
from tinybert.sources.encoding import marked
from tinybert.sources.file_kinds import POINTER, POINTER_FIX

MAX_POINTER_BYTES = 1024
TEXTS = (
    *("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"),
    *("added_tokens.json", "model.safetensors.index.json"),
)
"""Files of a checkpoint that ``transformers`` reads as UTF-8 without a byte-order mark."""
VOCABULARIES = ("vocab.json", "vocab.txt", "merges.txt")
"""As those, where there is no ``tokenizer.json``."""


def refuse_pointers(folder: Path) -> None:
    """Refuse a folder of which git brought only the pointers to its large files.

    Raises:
        ModelError: With the command that brings the files themselves.
    """
    for file in sorted(each for each in folder.iterdir() if each.is_file()):
        if file.stat().st_size <= MAX_POINTER_BYTES and file.read_bytes().startswith(POINTER):
            problem = f"{file.name} is a pointer of Git LFS, not the file itself; {POINTER_FIX}"
            raise ModelError(str(folder), problem)


def refuse_marked(folder: Path) -> None:
    """Refuse files that begin with a byte-order mark, as editors of Windows write it.

    ``transformers`` takes it for broken JSON, or for a part of a vocabulary's first piece.

    Raises:
        ModelError: With the command that takes the marks away.
    """
    encodings: dict[str, str] = {}
    names = TEXTS if (folder / "tokenizer.json").is_file() else (*TEXTS, *VOCABULARIES)
    for name in names:
        with suppress(OSError), (folder / name).open("rb") as stream:
            head = stream.read(4)
            if encoding := "utf-8-sig" if head.startswith(BOM_UTF8) else marked(head):
                encodings[name] = encoding
    if encodings:
        code = (
            "from pathlib import Path as P; "
            f"[P({str(folder)!r}, f).write_text(P({str(folder)!r}, f).read_text(e), 'utf-8') "
            f"for f, e in {encodings!r}.items()]"
        )
        raise ModelError(
            str(folder),
            f"{', '.join(encodings)}: a byte-order mark at the beginning, as editors of Windows write it; "
            f"save as UTF-8 without it: python -c {shlex.quote(code)}",
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
    code = (
        f"from transformers import {kind} as M, {tokenizer} as T; old = {str(folder)!r}; "
        "new = old + '-safetensors'; "
        "M.from_pretrained(old).save_pretrained(new); T.from_pretrained(old).save_pretrained(new)"
    )
    problem = f"{what}; if you trust them, convert them and give the new folder"
    raise ModelError(str(folder), f'{problem}: python -c "{code}"')
