import math

import pytest
import torch

from tinybert.errors import ModelError, RecipeError
from tinybert.losses import kl_divergence, mse_logits, soft_cross_entropy

TEMPERED = pytest.mark.parametrize("loss", [kl_divergence, soft_cross_entropy])


def probabilities(row, temperature):
    powers = [math.exp(float(z) / temperature) for z in row]
    return [power / sum(powers) for power in powers]


def naive_cross_entropy(student, teacher, temperature, mask):
    total, count = 0.0, 0
    for ours, theirs, real in zip(student, teacher, mask, strict=True):
        if real:
            pairs = zip(probabilities(theirs, temperature), probabilities(ours, temperature), strict=True)
            total -= temperature**2 * sum(p * math.log(q) for p, q in pairs)
            count += 1
    return total / count


def logits(num_rows=5, num_classes=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, num_rows, num_classes, generator=generator, dtype=torch.float64)


def test_soft_cross_entropy_hand_value():
    student, teacher = torch.zeros(1, 2, dtype=torch.float64), torch.tensor([[math.log(3), 0.0]]).double()
    assert soft_cross_entropy(student, teacher).item() == pytest.approx(math.log(2), rel=1e-12)
    at_two = soft_cross_entropy(student + 1, teacher, temperature=2.0).item()
    assert at_two == pytest.approx(4 * math.log(2), rel=1e-12)


def test_kl_divergence_hand_value():
    """Teacher 3/4 and 1/4 against an undecided student: log 2 − H(1/4)."""
    student = torch.zeros(1, 2, dtype=torch.float64)
    teacher = torch.tensor([[math.log(3), 0.0]], dtype=torch.float64)
    expected = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert kl_divergence(student, teacher).item() == pytest.approx(expected, rel=1e-12)
    at_half = kl_divergence(student, teacher, temperature=0.5).item()
    expected = 0.9 * math.log(0.9 / 0.5) + 0.1 * math.log(0.1 / 0.5)
    assert at_half == pytest.approx(0.25 * expected, rel=1e-12)


def test_mse_logits_hand_value():
    student = torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 5.0]], dtype=torch.float64)
    assert mse_logits(student, torch.zeros_like(student)).item() == (14 + 25) / 2
    assert mse_logits(student, torch.zeros_like(student), mask=torch.tensor([False, True])).item() == 25


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_naive_loops(temperature):
    student, teacher = logits()
    mask = torch.tensor([True, False, True, True, False])
    cross = naive_cross_entropy(student, teacher, temperature, mask)
    entropy = naive_cross_entropy(teacher, teacher, temperature, mask)
    value = soft_cross_entropy(student, teacher, temperature=temperature, mask=mask).item()
    assert value == pytest.approx(cross, rel=1e-12)
    value = kl_divergence(student, teacher, temperature=temperature, mask=mask).item()
    assert value == pytest.approx(cross - entropy, rel=1e-10)


def test_naive_loop_of_mse_logits():
    student, teacher = logits()
    mask = torch.tensor([True, False, True, True, False])
    rows = [row for row in range(5) if mask[row]]
    total = sum(float(student[row, c] - teacher[row, c]) ** 2 for row in rows for c in range(4))
    assert mse_logits(student, teacher, mask=mask).item() == pytest.approx(total / 3, rel=1e-13)


@TEMPERED
def test_gradient_scale_is_the_documented_one(loss):
    student, teacher = logits()
    student = student.clone().requires_grad_()
    loss(student, teacher, temperature=3.0).backward()
    expected = 3.0 * ((student.detach() / 3).softmax(-1) - (teacher / 3).softmax(-1)) / 5
    torch.testing.assert_close(student.grad, expected, rtol=1e-10, atol=1e-15)


def test_at_high_temperature_kl_divergence_tends_to_mse_logits():
    student, teacher = (z - z.mean(-1, keepdim=True) for z in logits(num_classes=4))
    hot = kl_divergence(student, teacher, temperature=1e4)
    torch.testing.assert_close(2 * 4 * hot, mse_logits(student, teacher), rtol=1e-3, atol=0)


@pytest.mark.parametrize("loss", [kl_divergence, soft_cross_entropy, mse_logits])
def test_more_classes_do_not_shrink_the_loss(loss):
    """Classes that nobody answers, and on which both agree, change nothing: no 1/C."""
    student, teacher = logits(num_classes=3)
    never = torch.full((5, 97), -80.0, dtype=torch.float64)
    wide = loss(torch.cat([student, never], -1), torch.cat([teacher, never], -1))
    torch.testing.assert_close(wide, loss(student, teacher), rtol=1e-10, atol=0)


@pytest.mark.parametrize("loss", [kl_divergence, soft_cross_entropy, mse_logits])
def test_tokens_of_a_batch_are_rows(loss):
    student, teacher = logits(num_rows=6)
    mask = torch.tensor([1, 1, 0, 1, 0, 0]).bool()
    by_token = loss(student.view(2, 3, 4), teacher.view(2, 3, 4), mask=mask.view(2, 3))
    torch.testing.assert_close(by_token, loss(student, teacher, mask=mask), rtol=1e-14, atol=0)
    unmasked = loss(student.view(2, 3, 4), teacher.view(2, 3, 4))
    torch.testing.assert_close(unmasked, loss(student, teacher), rtol=1e-14, atol=0)


def test_kl_divergence_is_exactly_zero_at_equality_even_in_float32():
    teacher = torch.randn(64, 7) * 10
    assert kl_divergence(teacher.clone(), teacher, temperature=2.0).item() == 0.0


@TEMPERED
def test_a_probability_of_zero_in_the_teacher_is_no_nan(loss):
    """Soft labels from a file: log 0 is −inf."""
    teacher = torch.tensor([[0.25, 0.75, 0.0]], dtype=torch.float64).log()
    student = torch.zeros(1, 3, dtype=torch.float64).requires_grad_()
    value = loss(student, teacher)
    value.backward()
    entropy = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    expected = math.log(3) - (entropy if loss is kl_divergence else 0)
    assert value.item() == pytest.approx(expected, rel=1e-12)
    assert student.grad.isfinite().all()


@TEMPERED
@pytest.mark.parametrize("temperature", [0, -1.0, math.inf, math.nan])
def test_a_temperature_that_is_none_is_refused(loss, temperature):
    with pytest.raises(RecipeError, match="any number above 0"):
        loss(torch.zeros(1, 2), torch.zeros(1, 2), temperature=temperature)


def test_other_class_counts_are_refused():
    with pytest.raises(ModelError, match="class counts 2 and 3 differ; student and teacher must predict"):
        kl_divergence(torch.zeros(1, 2), torch.zeros(1, 3))


def test_logits_without_a_class_axis_are_refused():
    with pytest.raises(ModelError, match=r"student \(4,\).*both need logits of shape"):
        mse_logits(torch.zeros(4), torch.zeros(4))
