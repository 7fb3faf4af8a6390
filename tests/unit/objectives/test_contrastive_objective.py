"""The contrastive term reads the pooled last hidden states, beside the task's own loss."""

from __future__ import annotations

import pytest
import torch
from tests import easy
from torch import nn

from tinybert.losses import cross_entropy, supervised_contrastive
from tinybert.models.inputs import run_model
from tinybert.models.pooling import POOLINGS
from tinybert.objectives import ContrastiveObjective, HardObjective
from tinybert.training import Batch


def batch_of() -> Batch:
    ids = torch.randint(5, 60, (6, 9), generator=torch.Generator().manual_seed(0))
    mask = (torch.arange(9) < torch.tensor([9, 4, 7, 9, 3, 5])[:, None]).long()
    return {"input_ids": ids, "attention_mask": mask, "labels": torch.tensor([0, 1, 0, 0, 1, -100])}


def hard_loss(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
    return cross_entropy(logits, batch["labels"])


@pytest.mark.parametrize("pooling", POOLINGS)
def test_terms_are_those_of_the_logits_and_of_the_pooled_vectors(pooling: str) -> None:
    model, batch = easy.seeded_classifier().eval(), batch_of()
    terms = ContrastiveObjective(model, hard_loss, weight=0.5, pooling=pooling)(model, batch)
    states = model.base_model(batch["input_ids"], batch["attention_mask"]).last_hidden_state
    vectors = POOLINGS[pooling](states, batch["attention_mask"])
    expected = supervised_contrastive(vectors, batch["labels"], temperature=0.1)
    assert terms["contrastive"].item() == pytest.approx(0.5 * expected.item(), rel=1e-5)
    assert terms["hard"].item() == pytest.approx(hard_loss(run_model(model, batch), batch).item(), rel=1e-5)
    assert list(terms) == ["hard", "contrastive"]


def test_its_steps_draw_texts_of_a_class_together() -> None:
    def spread(model: nn.Module) -> float:
        with torch.no_grad():
            states = model.base_model(batch["input_ids"], batch["attention_mask"]).last_hidden_state  # type: ignore[operator,union-attr]
        vectors = POOLINGS["mean"](states, batch["attention_mask"])
        units = nn.functional.normalize(vectors, dim=-1)
        return float(units[0] @ units[2] - units[0] @ units[1])

    found = {}
    for name in ("hard", "contrastive"):
        model, batch = easy.seeded_classifier().eval(), batch_of()
        objective = (
            HardObjective(hard_loss)
            if name == "hard"
            else ContrastiveObjective(model, hard_loss, weight=1.0, pooling="mean")
        )
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        for _ in range(20):
            torch.stack(list(objective(model, batch).values())).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
        found[name] = spread(model)
    assert found["contrastive"] > found["hard"] + 0.2
