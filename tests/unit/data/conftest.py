from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from tinybert.config import DataSection
from tinybert.data import TextData, load

WORDS = [*"abcde", *("good", "bad", "film", "dull", "fine", "##s", "##ly", "one", "two", "three")]


def make_tokenizer(*, token_types: bool = True) -> PreTrainedTokenizerFast:
    vocabulary = {
        word: index for index, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS])
    }
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = [("[CLS]", 2), ("[SEP]", 3)]
    pair = "[CLS] $A [SEP] $B:1 [SEP]:1"
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair=pair, special_tokens=special
    )
    # as some published tokenizer files do
    backend.enable_truncation(5)
    backend.enable_padding(length=5, pad_token="[PAD]")
    names = ["input_ids", "token_type_ids", "attention_mask"] if token_types else ["input_ids"]
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_input_names=names,
    )


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    return make_tokenizer()


Row = Mapping[str, object]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a file of text, bytes or rows; return its path."""

    def write_file(name: str, content: str | bytes | Sequence[Row]) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, str):
            path.write_bytes(content.encode())
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")
        return path

    return write_file


def rows_of(number: int, *, start: int = 0, label: Callable[[int], object] | None = None) -> list[Row]:
    """Return different rows with two labels in turn."""
    label = label or (lambda index: "good" if index % 2 else "bad")
    return [{"text": f"film {index}", "label": label(index)} for index in range(start, start + number)]


def read(source: object, **options: object) -> TextData:
    """Load with settings and options given flat."""
    names = set(DataSection.model_fields)
    settings = DataSection(**{key: value for key, value in options.items() if key in names})  # type: ignore[arg-type]
    rest = {key: value for key, value in options.items() if key not in names}
    return load(source, settings=settings, **{"label_kind": "single", **rest})  # type: ignore[arg-type]
