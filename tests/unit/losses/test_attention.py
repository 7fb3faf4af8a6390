import pytest
import torch

from tinybert.errors import ModelError
from tinybert.losses import attention_score_mse


def naive(student, teacher, mask):
    total, count = 0.0, 0
    for row in range(student.shape[0]):
        for head in range(student.shape[1]):
            for query in range(student.shape[2]):
                for key in range(student.shape[3]):
                    if mask[row, query] and mask[row, key]:
                        total += float(student[row, head, query, key] - teacher[row, head, query, key]) ** 2
                        count += 1
    return total / count


def test_hand_value():
    student = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]], dtype=torch.float64)
    teacher = torch.tensor([[[[0.0, 0.0], [0.0, 2.0]]]], dtype=torch.float64)
    both = attention_score_mse(student, teacher, mask_BL=torch.tensor([[1, 1]]))
    assert both.item() == (1 + 4 + 9 + 4) / 4
    assert attention_score_mse(student, teacher, mask_BL=torch.tensor([[0, 1]])).item() == 4.0


def test_naive_loop_with_holes_in_the_mask():
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(2, 3, 4, 5, 5, generator=generator, dtype=torch.float64)
    mask = torch.tensor([[1, 1, 1, 1, 1], [0, 1, 0, 1, 0], [1, 0, 0, 0, 0]])
    value = attention_score_mse(student, teacher, mask_BL=mask).item()
    assert value == pytest.approx(naive(student, teacher, mask), rel=1e-13)


def test_gradient_scale_is_the_documented_one():
    student = torch.randn(2, 3, 4, 4, dtype=torch.float64).requires_grad_()
    teacher = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]])
    (5.0 * attention_score_mse(student, teacher, mask_BL=mask)).backward()
    real = (mask[:, :, None] * mask[:, None, :])[:, None].double()
    expected = 5.0 * 2 * (student.detach() - teacher) * real / (3 * (9 + 4))
    torch.testing.assert_close(student.grad, expected, rtol=1e-13, atol=0)


def test_large_half_precision_scores_sum_exactly():
    """Four million squares: a plain float32 running sum would be off in the fourth digit."""
    student, teacher = torch.randn(2, 4, 4, 512, 512, generator=torch.Generator().manual_seed(0)).bfloat16()
    mask = torch.ones(4, 512)
    exact = (student.double() - teacher.double()).square().mean().item()
    assert attention_score_mse(student, teacher, mask_BL=mask).item() == pytest.approx(exact, rel=1e-6)


def test_backward_twice_gives_the_same_gradient():
    student = torch.randn(1, 2, 3, 3).requires_grad_()
    loss = attention_score_mse(student, torch.zeros(1, 2, 3, 3), mask_BL=torch.ones(1, 3))
    first, second = (torch.autograd.grad(loss, student, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)


def test_other_memory_layouts_are_read_right():
    student, teacher = torch.randn(2, 2, 3, 4, 4, dtype=torch.float64)
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    turned = student.transpose(2, 3).contiguous().transpose(2, 3)
    assert not turned.is_contiguous()
    plain = attention_score_mse(student, teacher, mask_BL=mask)
    torch.testing.assert_close(attention_score_mse(turned, teacher, mask_BL=mask), plain, rtol=1e-14, atol=0)


def test_other_head_counts_are_sent_to_relation_kl():
    with pytest.raises(ModelError, match="head counts 4 and 12 differ; use relation_kl") as refused:
        attention_score_mse(torch.zeros(2, 4, 5, 5), torch.zeros(2, 12, 5, 5), mask_BL=torch.ones(2, 5))
    assert "(2, 4, 5, 5)" in str(refused.value)
    assert "(2, 12, 5, 5)" in str(refused.value)


def test_all_axes_that_differ_are_listed_once():
    with pytest.raises(ModelError) as refused:
        attention_score_mse(torch.zeros(2, 4, 5, 5), torch.zeros(2, 12, 6, 6), mask_BL=torch.ones(2, 5))
    assert len(refused.value.problems) == 2


def test_a_missing_axis_is_named():
    with pytest.raises(ModelError, match=r"need the 4 axes \(B, H, L, L\)"):
        attention_score_mse(torch.zeros(2, 5, 5), torch.zeros(2, 5, 5), mask_BL=torch.ones(2, 5))
