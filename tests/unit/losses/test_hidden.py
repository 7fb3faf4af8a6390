import pytest
import torch

from tinybert.errors import ModelError
from tinybert.losses import hidden_state_mse


def naive(student, teacher, mask):
    total, count = 0.0, 0
    for row in range(student.shape[0]):
        for token in range(student.shape[1]):
            if mask[row, token]:
                for unit in range(student.shape[2]):
                    total += float(student[row, token, unit] - teacher[row, token, unit]) ** 2
                    count += 1
    return total / count


def test_hand_value():
    student = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]], dtype=torch.float64)
    teacher = torch.tensor([[[0.0, 0.0], [0.0, 2.0]]], dtype=torch.float64)
    assert hidden_state_mse(student, teacher, mask_BL=torch.tensor([[1, 1]])).item() == (1 + 4 + 9 + 4) / 4
    assert hidden_state_mse(student, teacher, mask_BL=torch.tensor([[0, 1]])).item() == (9 + 4) / 2


def test_naive_loop_with_holes_in_the_mask():
    student, teacher = torch.randn(
        2, 3, 5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    mask = torch.tensor([[1, 1, 1, 1, 1], [0, 1, 0, 1, 0], [1, 0, 0, 0, 0]])
    value = hidden_state_mse(student, teacher, mask_BL=mask).item()
    assert value == pytest.approx(naive(student, teacher, mask), rel=1e-13)


def test_gradient_scale_is_the_documented_one():
    student = torch.randn(2, 3, 4, dtype=torch.float64).requires_grad_()
    teacher = torch.randn(2, 3, 4, dtype=torch.float64)
    mask = torch.tensor([[1, 1, 1], [1, 0, 0]])
    hidden_state_mse(student, teacher, mask_BL=mask).backward()
    expected = 2 * (student.detach() - teacher) * mask[:, :, None] / (4 * 4)
    torch.testing.assert_close(student.grad, expected, rtol=1e-13, atol=0)


def test_a_learnable_projection_gets_its_gradient():
    states, teacher = torch.randn(2, 3, 2, dtype=torch.float64), torch.randn(2, 3, 4, dtype=torch.float64)
    projection = torch.randn(2, 4, dtype=torch.float64).requires_grad_()
    mask = torch.tensor([[1, 1, 1], [1, 0, 0]])
    assert torch.autograd.gradcheck(
        lambda w: hidden_state_mse(states @ w, teacher, mask_BL=mask), (projection,)
    )


def test_a_float32_student_may_meet_a_half_precision_teacher():
    student, teacher = torch.randn(1, 2, 4), torch.randn(1, 2, 4).bfloat16()
    value = hidden_state_mse(student, teacher, mask_BL=torch.ones(1, 2))
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, (student - teacher.float()).square().mean())


def test_other_widths_ask_for_the_projection():
    with pytest.raises(ModelError, match="widths 312 and 384 differ; project the student's hidden states"):
        hidden_state_mse(torch.zeros(1, 2, 312), torch.zeros(1, 2, 384), mask_BL=torch.ones(1, 2))
