from __future__ import annotations

import pytest
import torch
from tests import easy

from tinybert.data import Collator
from tinybert.teachers import ModelTeacher, Wanted, weights_digest


@pytest.fixture(scope="module")
def batch() -> dict[str, torch.Tensor]:
    rows = easy.encode_rows(easy.make_rows(6))
    return Collator(easy.make_tokenizer())([rows[i] for i in range(6)])


def with_dropout() -> torch.nn.Module:
    model = easy.seeded_classifier()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.5
    return model.train()


def test_dropout_is_off_and_no_gradient_is_recorded(batch: dict[str, torch.Tensor]) -> None:
    model = with_dropout()
    teacher = ModelTeacher(model, Wanted(hidden=(0, 1), scores=(1,), vectors=(1,)))
    first, second = teacher.answer(batch), teacher.answer(batch)
    assert not model.training
    assert torch.equal(first.logits, second.logits)
    assert torch.equal(first.scores[1], second.scores[1])
    assert first.logits.is_inference()
    assert not any(tensor.requires_grad for tensor in (first.logits, first.hidden[1], first.vectors[1][0]))
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_only_what_is_wanted_is_captured(batch: dict[str, torch.Tensor]) -> None:
    answer = ModelTeacher(easy.seeded_classifier(), Wanted(hidden=(3,))).answer(batch)
    assert answer.hidden.keys() == {3}
    assert not answer.scores
    assert not answer.vectors
    bare = ModelTeacher(easy.seeded_classifier(), Wanted()).answer(batch)
    assert not bare.hidden
    assert torch.equal(bare.logits, answer.logits)


def test_an_answer_does_not_hang_on_what_it_is_batched_with(batch: dict[str, torch.Tensor]) -> None:
    teacher = ModelTeacher(easy.seeded_classifier(), Wanted())
    whole = teacher.answer(batch).logits
    alone = torch.cat(
        [teacher.answer({name: column[i : i + 1] for name, column in batch.items()}).logits for i in range(6)]
    )
    torch.testing.assert_close(whole, alone, atol=1e-5, rtol=1e-5)


def test_it_reads_the_columns_of_its_own_tokenizer(batch: dict[str, torch.Tensor]) -> None:
    teacher = ModelTeacher(easy.seeded_classifier(), Wanted(), prefix="teacher_")
    other = batch["input_ids"].flip(0)
    both = {
        **batch,
        "teacher_input_ids": other,
        "teacher_attention_mask": batch["attention_mask"].flip(0),
        "teacher_token_type_ids": batch["token_type_ids"],
    }
    expected = ModelTeacher(easy.seeded_classifier(), Wanted()).answer(batch).logits.flip(0)
    torch.testing.assert_close(teacher.answer(both).logits, expected)


def test_bf16_weights_stay_bf16_even_under_autocast(batch: dict[str, torch.Tensor]) -> None:
    teacher = ModelTeacher(easy.seeded_classifier(), Wanted(hidden=(1,)), bf16=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        answer = teacher.answer(batch)
    assert answer.hidden[1].dtype == torch.bfloat16
    exact = ModelTeacher(easy.seeded_classifier(), Wanted()).answer(batch).logits
    torch.testing.assert_close(answer.logits.float(), exact, atol=0.1, rtol=0.1)


def test_the_digest_of_weights_changes_with_one_of_them() -> None:
    model = easy.seeded_classifier()
    before = weights_digest(model)
    assert weights_digest(easy.seeded_classifier()) == before
    with torch.no_grad():
        model.classifier.bias[0] += 1e-3
    assert weights_digest(model) != before
    assert weights_digest(easy.seeded_classifier().to(torch.bfloat16)) != before


def test_the_digest_knows_the_config_but_not_the_folder() -> None:
    model = easy.seeded_classifier()
    before = weights_digest(model)
    model.config.name_or_path = "elsewhere"
    assert weights_digest(model) == before
    model.config.hidden_act = "relu"
    assert weights_digest(model) != before
