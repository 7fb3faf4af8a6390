import math

import pytest
import torch

from tinybert.errors import ModelError
from tinybert.losses import relation_kl


def naive(student, teacher, mask, num_relation_heads):
    """Head by head, query by query, with Python's own exp and log."""

    def relation(vectors, row, head, query):
        keys = [key for key in range(vectors.shape[2]) if mask[row, key]]
        flat = torch.cat(list(vectors[row]), dim=-1)  # (L, H*D): the heads side by side
        width = flat.shape[-1] // num_relation_heads
        part = flat[:, head * width : (head + 1) * width]
        scores = [float(part[query] @ part[key]) / math.sqrt(width) for key in keys]
        powers = [math.exp(score) for score in scores]
        return [power / sum(powers) for power in powers]

    total, count = 0.0, 0
    for row in range(student.shape[0]):
        for query in range(student.shape[2]):
            if not mask[row, query]:
                continue
            for head in range(num_relation_heads):
                ours, theirs = (relation(vectors, row, head, query) for vectors in (student, teacher))
                total += sum(p * math.log(p / q) for p, q in zip(theirs, ours, strict=True))
                count += 1
    return total / count


def test_hand_value():
    """Two tokens of width 1. Teacher 0, 0: one half each. Student √2, 0: rows e²/(e²+1) and one half."""
    student = torch.tensor([[[[math.sqrt(2)], [0.0]]]], dtype=torch.float64)
    teacher = torch.zeros(1, 1, 2, 1, dtype=torch.float64)
    p = math.exp(2) / (math.exp(2) + 1)
    first_query = 0.5 * math.log(0.5 / p) + 0.5 * math.log(0.5 / (1 - p))
    value = relation_kl(student, teacher, mask_BL=torch.ones(1, 2), num_relation_heads=1)
    assert value.item() == pytest.approx(first_query / 2, rel=1e-13)


@pytest.mark.parametrize("num_relation_heads", [1, 2, 3, 6])
def test_naive_loop_with_unequal_heads_and_widths(num_relation_heads):
    generator = torch.Generator().manual_seed(0)
    student = torch.randn(3, 2, 5, 3, generator=generator, dtype=torch.float64)
    teacher = torch.randn(3, 4, 5, 3, generator=generator, dtype=torch.float64)
    mask = torch.tensor([[1, 1, 1, 1, 1], [0, 1, 0, 1, 0], [1, 0, 0, 0, 0]])
    value = relation_kl(student, teacher, mask_BL=mask, num_relation_heads=num_relation_heads).item()
    assert value == pytest.approx(naive(student, teacher, mask, num_relation_heads), rel=1e-12)


def test_it_is_the_teacher_that_the_student_is_measured_by():
    student, teacher = torch.randn(
        2, 1, 1, 4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    mask = torch.ones(1, 4)
    forth = relation_kl(student, teacher, mask_BL=mask, num_relation_heads=1)
    back = relation_kl(teacher, student, mask_BL=mask, num_relation_heads=1)
    assert abs(forth - back) > 1e-3


def test_a_turned_student_has_the_same_relations():
    """Relations are inner products: any rotation within a relation head leaves them alone."""
    teacher = torch.randn(2, 1, 5, 4, dtype=torch.float64)
    turn, _ = torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64))
    value = relation_kl(teacher @ turn, teacher, mask_BL=torch.ones(2, 5), num_relation_heads=1)
    assert value.item() == pytest.approx(0, abs=1e-12)


def test_relation_heads_that_do_not_divide_both_widths_are_refused_with_those_that_do():
    student, teacher = torch.zeros(1, 12, 4, 26), torch.zeros(1, 12, 4, 32)
    with pytest.raises(
        ModelError, match=r"num_relation_heads = 16 .* 312 and 384; allowed: 1, 2, 3, 4, 6, 8, 12, 24"
    ):
        relation_kl(student, teacher, mask_BL=torch.ones(1, 4), num_relation_heads=16)
    with pytest.raises(ModelError, match="num_relation_heads = 0"):
        relation_kl(student, teacher, mask_BL=torch.ones(1, 4), num_relation_heads=0)


def test_other_lengths_are_refused():
    with pytest.raises(ModelError, match="lengths 4 and 5 differ; both must read the same tokens"):
        relation_kl(
            torch.zeros(1, 2, 4, 3), torch.zeros(1, 2, 5, 3), mask_BL=torch.ones(1, 4), num_relation_heads=2
        )
