import math

import pytest
import torch

from tinybert.errors import ModelError
from tinybert.losses import supervised_contrastive


def vectors(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_hand_value():
    given = torch.tensor([[1.0, 0.0], [3.0, 0.0], [0.0, 2.0]], dtype=torch.float64)
    value = supervised_contrastive(given, torch.tensor([0, 0, 1]), temperature=0.5).item()
    assert value == pytest.approx(math.log(1 + math.exp(-2)), rel=1e-12)  # the third has no positive


def test_naive_loop():
    given, labels, temperature = vectors(7, 3), [0, 1, 0, -100, 1, 0, 2], 0.3
    used = [i for i, label in enumerate(labels) if label >= 0]

    def score(i, j):
        a, b = given[i], given[j]
        return float(a @ b / (a.norm() * b.norm())) / temperature

    losses = []
    for i in used:
        total = sum(math.exp(score(i, j)) for j in used if j != i)
        positives = [j for j in used if j != i and labels[j] == labels[i]]
        if positives:
            losses.append(-sum(math.log(math.exp(score(i, j)) / total) for j in positives) / len(positives))
    value = supervised_contrastive(given, torch.tensor(labels), temperature=temperature).item()
    assert value == pytest.approx(sum(losses) / len(losses), rel=1e-12)


def test_gradcheck():
    labels = torch.tensor([0, 1, 0, -100, 1])
    given = vectors(5, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: supervised_contrastive(x, labels, temperature=0.2), (given,))


def test_its_minimum_is_the_log_of_the_positives():
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    given = torch.eye(2, dtype=torch.float64)[labels]
    value = supervised_contrastive(given, labels, temperature=0.01).item()
    assert value == pytest.approx(math.log(2), abs=1e-9)


@pytest.mark.parametrize("labels", [[0, 1, 2], [-100, -100, -100], [0, -100, -100]])
def test_no_positive_is_zero_with_zero_gradients(labels):
    given = vectors(3, 4).requires_grad_()
    value = supervised_contrastive(given, torch.tensor(labels), temperature=0.1)
    value.backward()
    assert value.item() == 0
    assert given.grad is not None and not given.grad.any()


def test_rows_without_a_label_and_norms_change_nothing():
    given, labels = vectors(6, 4), torch.tensor([0, 0, 1, 1, 2, 0])
    plain = supervised_contrastive(given, labels, temperature=0.1)
    garbage = torch.full((2, 4), torch.nan, dtype=torch.float64)
    more = torch.cat([given * torch.arange(1, 7)[:, None], garbage])
    longer = torch.cat([labels, torch.tensor([-100, -100])])
    torch.testing.assert_close(supervised_contrastive(more, longer, temperature=0.1), plain)


def test_half_precision_is_raised_even_under_autocast():
    given, labels = vectors(6, 4), torch.tensor([0, 0, 1, 1, 2, 0])
    with torch.autocast("cpu", torch.bfloat16):
        value = supervised_contrastive(given.bfloat16(), labels, temperature=0.1)
    assert value.dtype == torch.float32
    expected = supervised_contrastive(given.bfloat16().double(), labels, temperature=0.1)
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ModelError, match=r"embeddings \(2, 3\), labels \(4,\)"):
        supervised_contrastive(torch.zeros(2, 3), torch.zeros(4).long(), temperature=0.1)
