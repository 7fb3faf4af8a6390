"""Made-up rows and a tiny tokenizer, and loading with flat options."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from tinybert.config import DataSection
from tinybert.data import TextData, load
from tinybert.tasks import BUILTIN

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


Row = Mapping[str, object]


def rows_of(number: int, *, start: int = 0, label: Callable[[int], object] | None = None) -> list[Row]:
    """Return different rows with two labels in turn."""
    label = label or (lambda index: "good" if index % 2 else "bad")
    return [{"text": f"film {index}", "label": label(index)} for index in range(start, start + number)]


def read(source: object, **options: object) -> TextData:
    """Load with settings and options given flat."""
    names = set(DataSection.model_fields)
    settings = DataSection(**{key: value for key, value in options.items() if key in names})  # type: ignore[arg-type]
    rest = {key: value for key, value in options.items() if key not in names}
    format = BUILTIN[str(rest.pop("task", "classification"))].format
    return load(source, settings=settings, format=format, **rest)  # type: ignore[arg-type]
