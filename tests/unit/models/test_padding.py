"""Families whose outputs change with padding: run without it, a text has the scores it has alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from transformers import (
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    CanineConfig,
    ConvBertConfig,
    FNetConfig,
    FunnelConfig,
    LongformerConfig,
    MobileBertConfig,
    PreTrainedConfig,
    PreTrainedModel,
    XLNetConfig,
    YosoConfig,
)

from tinybert.errors import ModelError
from tinybert.models.head import QUESTION, head_of
from tinybert.models.inputs import READING_PADDING, run_model
from tinybert.teachers import ModelTeacher
from tinybert.teachers.teacher import Wanted

LAYERS = {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
SIZE = {"vocab_size": 30, "hidden_size": 16, "max_position_embeddings": 32, **LAYERS}
CONFIGS: dict[str, PreTrainedConfig] = {
    "canine": CanineConfig(**SIZE, num_hash_buckets=16),
    "convbert": ConvBertConfig(**SIZE, embedding_size=16),
    "fnet": FNetConfig(**{name: size for name, size in SIZE.items() if name != "num_attention_heads"}),
    "funnel": FunnelConfig(
        vocab_size=30, block_sizes=[1, 1], num_decoder_layers=1, d_model=16, n_head=2, d_head=8, d_inner=16
    ),
    "mobilebert": MobileBertConfig(
        **SIZE, embedding_size=8, intra_bottleneck_size=8, num_feedforward_networks=1
    ),
    "xlnet": XLNetConfig(
        vocab_size=30, d_model=16, n_layer=1, n_head=2, d_inner=16, bos_token_id=1, eos_token_id=2
    ),
    "yoso": YosoConfig(**SIZE),
}
ROWS = [list(range(5, 15)), list(range(6, 14)), list(range(10, 20)), list(range(20, 29))]


def made(auto: type, family: str) -> PreTrainedModel:
    torch.manual_seed(0)
    model = auto.from_config(CONFIGS[family]).eval()
    for parameter in model.parameters():
        parameter.data += 0.15 * torch.randn_like(parameter)
    return model


def batch_of(rows: list[list[int]], *, prefix: str = "") -> dict[str, torch.Tensor]:
    longest = max(map(len, rows))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    return {prefix + "input_ids": ids, prefix + "attention_mask": (ids > 0).long()}


def test_every_such_family_is_tested() -> None:
    assert set(CONFIGS) == set(READING_PADDING)


@pytest.mark.parametrize("family", CONFIGS)
def test_a_text_has_the_scores_it_has_alone(family: str) -> None:
    model = made(AutoModelForSequenceClassification, family)
    teacher = ModelTeacher(model, Wanted(), prefix="teacher_")
    with torch.inference_mode():
        alone = torch.cat([run_model(model, batch_of([row])) for row in ROWS])
        padded = model(**{name: batch_of(ROWS)[name] for name in ("input_ids",)}).logits
        together = run_model(model, batch_of(ROWS))
    assert not torch.allclose(padded, alone, atol=1e-5)
    torch.testing.assert_close(together, alone)
    torch.testing.assert_close(teacher.answer(batch_of(ROWS, prefix="teacher_")).logits, alone)


@pytest.mark.parametrize("family", CONFIGS)
def test_a_text_of_one_word_alone_and_beside_a_long_one(family: str) -> None:
    model = made(AutoModelForSequenceClassification, family)
    with torch.inference_mode():
        alone, beside = (
            run_model(model, batch_of([[5, 6, 7]])),
            run_model(model, batch_of([[5, 6, 7], ROWS[0]])),
        )
    torch.testing.assert_close(alone[0], beside[0])


@pytest.mark.parametrize("family", ["convbert", "mobilebert"])
def test_scores_of_tokens_are_those_of_the_text_alone(family: str) -> None:
    model = made(AutoModelForQuestionAnswering, family)
    with torch.inference_mode():
        together = run_model(model, batch_of(ROWS))
        for row, scores in zip(ROWS, together, strict=True):
            torch.testing.assert_close(scores[: len(row)], run_model(model, batch_of([row]))[0])
            assert not scores[len(row) :].any()


def test_a_training_pads_as_ever() -> None:
    model = made(AutoModelForSequenceClassification, "fnet").train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    torch.testing.assert_close(
        run_model(model, batch_of(ROWS)), model(input_ids=batch_of(ROWS)["input_ids"]).logits
    )


def test_a_class_that_does_not_take_the_tokens_is_refused_with_its_reason() -> None:
    """Longformer looks for three separators, as the tokenizer of RoBERTa writes them."""
    config = LongformerConfig(**SIZE, attention_window=4, sep_token_id=2, pad_token_id=1)
    model = AutoModelForQuestionAnswering.from_config(config).eval()
    with pytest.raises(ModelError, match=r"LongformerForQuestionAnswering .*exactly three separator tokens"):
        run_model(model, batch_of([[0, 5, 2, 6, 2]]))


class Failing(torch.nn.Module):
    """Another family's class whose forward fails."""

    def __init__(self, fail: Callable[[], object]) -> None:
        super().__init__()
        self.fail, self.config = fail, SimpleNamespace(model_type="other")

    def forward(self, input_ids: torch.Tensor) -> object:
        return self.fail()


def raising(error: Exception) -> Callable[[], object]:
    def fail() -> object:
        raise error

    return fail


OWN, LESS = "is the tokenizer the model's own?", "a smaller batch_size or max_length needs less"
FAILURES: dict[str, tuple[Callable[[], object], str]] = {
    "a token that the table lacks": (
        lambda: torch.nn.functional.embedding(torch.tensor([9]), torch.ones(3, 2)),
        f"does not take this input: index out of range in self; {OWN}",
    ),
    "more tokens than positions": (lambda: torch.ones(1, 5, 2) + torch.ones(1, 3, 2), OWN),
    "a length that is not a multiple": (lambda: torch.ones(5).view(2, -1), OWN),
    "another width": (lambda: torch.ones(2, 3) @ torch.ones(4, 2), OWN),
    "a token on a GPU": (
        raising(RuntimeError("CUDA error: device-side assert triggered\nCUDA kernel errors …")),
        f"CUDA error: device-side assert triggered; {OWN}",
    ),
    "an operation that is not there": (
        raising(NotImplementedError("\"gelu\" not implemented for 'Half'")),
        "Failing of transformers failed: \"gelu\" not implemented for 'Half'",
    ),
    "an unknown failure": (
        raising(RuntimeError("cuBLAS is ill")),
        "Failing of transformers failed: cuBLAS is ill",
    ),
    "no memory": (lambda: torch.empty(1 << 60), LESS),
    "no memory on a GPU": (raising(torch.OutOfMemoryError("CUDA out of memory. Tried …")), LESS),
}


@pytest.mark.parametrize("name", FAILURES)
def test_each_failure_has_its_own_advice(name: str) -> None:
    fail, message = FAILURES[name]
    with pytest.raises(ModelError, match=re.escape(message) + "$") as caught:
        run_model(Failing(fail).eval(), batch_of([[5, 6]]))
    assert isinstance(caught.value.__cause__, Exception)


def test_a_head_that_is_called_simple_is_that_of_questions() -> None:
    assert head_of(XLNetConfig(architectures=["XLNetForQuestionAnsweringSimple"])) == QUESTION
    assert head_of(XLNetConfig(architectures=["XLNetLMHeadModel"])) is None
