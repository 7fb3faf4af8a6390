import math

import pytest
import torch
from torch.nn import functional

from tinybert.errors import ModelError
from tinybert.losses import (
    binary_cross_entropy,
    cross_entropy,
    focal_binary_cross_entropy,
    focal_cross_entropy,
    mse,
    mse_over_classes,
)

NAN = float("nan")


def logits(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_hand_values():
    even = torch.zeros(2, 4, dtype=torch.float64)
    assert cross_entropy(even, torch.tensor([3, -100])).item() == pytest.approx(math.log(4), rel=1e-13)
    given = torch.tensor([[1.0, 2.0], [0.0, 1.0]], dtype=torch.float64)
    assert mse_over_classes(given, torch.tensor([0, 0])).item() == (0 + 4 + 1 + 1) / 2
    labels = torch.tensor([[1.0, 0.0], [1.0, NAN]], dtype=torch.float64)
    value = binary_cross_entropy(torch.tensor([[math.log(3), 0.0], [5.0, 5.0]]).double(), labels).item()
    assert value == pytest.approx((-math.log(0.75) - math.log(0.5)) / 2, rel=1e-7)
    values = torch.tensor([[1.0], [5.0], [9.0]], dtype=torch.float64)
    assert mse(values, torch.tensor([3.0, 4.0, NAN])).item() == (4 + 1) / 2


def test_hand_values_with_class_weights():
    even, labels = torch.zeros(4, 2, dtype=torch.float64), torch.tensor([0, 0, 1, -100])
    weights = torch.tensor([0.5, 4.0])
    # by the three labelled rows, not by the sum 5 of their weights
    assert cross_entropy(even, labels, class_weights=weights).item() == pytest.approx(5 * math.log(2) / 3)
    yes = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    value = binary_cross_entropy(even[:2], yes, class_weights=weights).item()
    assert value == pytest.approx((0.5 + 1 + 1 + 4) * math.log(2) / 4, rel=1e-13)


def test_hand_values_of_the_focal_losses():
    given = torch.tensor([[math.log(3), 0.0], [math.log(3), 0.0]], dtype=torch.float64)
    # the label has 3/4 in one row and 1/4 in the other
    well, badly = -((1 / 4) ** 2) * math.log(3 / 4), -((3 / 4) ** 2) * math.log(1 / 4)
    value = focal_cross_entropy(given, torch.tensor([0, 1])).item()
    assert value == pytest.approx((well + badly) / 2, rel=1e-13)
    weighted = focal_cross_entropy(given, torch.tensor([0, 1]), class_weights=torch.tensor([1.0, 8.0])).item()
    assert weighted == pytest.approx((well + 8 * badly) / 2, rel=1e-13)
    yes = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    even = -((1 / 2) ** 2) * math.log(1 / 2)
    value = focal_binary_cross_entropy(given, yes, class_weights=torch.tensor([5.0, 7.0])).item()
    assert value == pytest.approx((5 * well + even + badly + 7 * even) / 4, rel=1e-13)


def test_naive_loop_of_focal_cross_entropy():
    z, labels, weights = logits(5, 3), [0, 2, -100, 1, -100], [0.5, 1.0, 3.0]
    total = 0.0
    for row in (0, 1, 3):
        p = math.exp(z[row, labels[row]]) / sum(math.exp(value) for value in z[row])
        total -= weights[labels[row]] * (1 - p) ** 0.7 * math.log(p)
    options = {"class_weights": torch.tensor(weights), "focal_gamma": 0.7}
    value = focal_cross_entropy(z, torch.tensor(labels), **options).item()
    assert value == pytest.approx(total / 3, rel=1e-12)


def test_naive_loop_of_focal_binary_cross_entropy():
    z, labels, weights = logits(3, 2), [[1.0, 0.0], [NAN, NAN], [0.25, 1.0]], [0.5, 3.0]
    total = 0.0
    for row in (0, 2):
        for index in range(2):
            p, label = 1 / (1 + math.exp(-z[row, index])), labels[row][index]
            total -= label * weights[index] * (1 - p) ** 3 * math.log(p)
            total -= (1 - label) * p**3 * math.log(1 - p)
    options = {"class_weights": torch.tensor(weights), "focal_gamma": 3.0}
    value = focal_binary_cross_entropy(z, torch.tensor(labels), **options).item()
    assert value == pytest.approx(total / 4, rel=1e-12)


WITH_CLASSES = [
    (cross_entropy, focal_cross_entropy, torch.tensor([0, 1, 2, -100])),
    (
        binary_cross_entropy,
        focal_binary_cross_entropy,
        torch.tensor([[1.0, 0, 1], [0, 0, 0], [0, 1, 0], [NAN] * 3]).double(),
    ),
]


def value_and_gradient(loss, z, labels, **options):
    z = z.clone().requires_grad_()
    value = loss(z, labels, **options)
    return torch.cat([value.detach()[None], torch.autograd.grad(value, z)[0].flatten()])


@pytest.mark.parametrize(("plain", "focal", "labels"), WITH_CLASSES)
def test_weights_of_one_and_a_gamma_of_zero_change_nothing(plain, focal, labels):
    z, weights = logits(4, 3), torch.tensor([0.5, 2.0, 3.0])
    expected = value_and_gradient(plain, z, labels)
    ones = value_and_gradient(plain, z, labels, class_weights=torch.ones(3))
    torch.testing.assert_close(ones, expected, rtol=1e-14, atol=0)
    for options in ({}, {"class_weights": weights}):
        no_focus = value_and_gradient(focal, z, labels, focal_gamma=0.0, **options)
        expected = value_and_gradient(plain, z, labels, **options)
        torch.testing.assert_close(no_focus, expected, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
@pytest.mark.parametrize(("plain", "focal", "labels"), WITH_CLASSES)
def test_a_focal_loss_is_finite_where_a_row_is_certain(plain, focal, labels, gamma):
    certain = 1e4 * torch.tensor([[1.0, -1, 1], [-1, -1, -1], [-1, 1, -1], [1, 1, 1]], dtype=torch.float64)
    for z in (certain, -certain, certain.float()):
        found = value_and_gradient(focal, z, labels, focal_gamma=gamma)
        assert found.isfinite().all()


def test_class_weights_are_torchs_own_but_for_the_divisor():
    z, classes, weights = logits(6, 3), torch.tensor([0, 1, 2, 0, 1, -100]), torch.tensor([0.5, 2.0, 3.0])
    torchs = functional.cross_entropy(z, classes, weight=weights.double())
    ours = cross_entropy(z, classes, class_weights=weights)
    torch.testing.assert_close(ours * 5, torchs * (0.5 + 2 + 3 + 0.5 + 2), rtol=1e-13, atol=0)
    several = functional.one_hot(classes[:5], 3).double()
    expected = functional.binary_cross_entropy_with_logits(z[:5], several, pos_weight=weights.double())
    torch.testing.assert_close(
        binary_cross_entropy(z[:5], several, class_weights=weights), expected, rtol=1e-13, atol=0
    )


@pytest.mark.parametrize(("plain", "focal", "labels"), WITH_CLASSES)
def test_weights_of_other_classes_are_refused(plain, focal, labels):
    for loss in (plain, focal):
        with pytest.raises(ModelError, match=rf"{loss.__name__}: class_weights \(2,\).*shape \(3,\)"):
            loss(logits(4, 3), labels, class_weights=torch.ones(2))


def test_naive_loop_of_cross_entropy():
    z, labels = logits(5, 3), [0, 2, -100, 1, -100]
    rows = [row for row in range(5) if labels[row] != -100]
    total = 0.0
    for row in rows:
        total -= math.log(math.exp(z[row, labels[row]]) / sum(math.exp(value) for value in z[row]))
    assert cross_entropy(z, torch.tensor(labels)).item() == pytest.approx(total / 3, rel=1e-13)


def test_naive_loop_of_mse_over_classes():
    z, labels = logits(5, 3), [0, 2, -100, 1, -100]
    total = 0.0
    for row in range(5):
        for index in range(3):
            if labels[row] != -100:
                total += float(z[row, index] - (1.0 if index == labels[row] else 0.0)) ** 2
    assert mse_over_classes(z, torch.tensor(labels)).item() == pytest.approx(total / 3, rel=1e-13)


def test_naive_loop_of_binary_cross_entropy():
    z, labels = logits(3, 2), [[1.0, 0.0], [NAN, NAN], [0.25, 1.0]]
    total = 0.0
    for row in (0, 2):
        for index in range(2):
            p = 1 / (1 + math.exp(-z[row, index]))
            total -= labels[row][index] * math.log(p) + (1 - labels[row][index]) * math.log(1 - p)
    assert binary_cross_entropy(z, torch.tensor(labels)).item() == pytest.approx(total / 4, rel=1e-12)


def test_naive_loop_of_mse():
    z, labels = logits(4, 1), [0.5, NAN, -2.0, 1.0]
    total = sum((float(z[row, 0]) - labels[row]) ** 2 for row in (0, 2, 3))
    assert mse(z, torch.tensor(labels)).item() == pytest.approx(total / 3, rel=1e-13)


def test_they_are_torchs_own_where_every_row_is_labelled():
    z, classes = logits(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    several = functional.one_hot(classes, 3).double()
    same = {"rtol": 1e-13, "atol": 0}
    torch.testing.assert_close(cross_entropy(z, classes), functional.cross_entropy(z, classes), **same)
    expected = functional.binary_cross_entropy_with_logits(z, several)
    torch.testing.assert_close(binary_cross_entropy(z, several), expected, **same)
    torch.testing.assert_close(mse(z[:, :1], z[:, 1]), functional.mse_loss(z[:, 0], z[:, 1]), **same)


def focal_gradient(z, y):
    """As documented, of γ = 2 and two rows."""
    probabilities = z.softmax(-1)
    p = probabilities.gather(1, y[:, None])
    scale = (1 - p) ** 2 - 2 * p * (1 - p) * p.log()
    return scale * (probabilities - functional.one_hot(y, 3)) / 2


def of_a_yes(p):
    """As documented, of γ = 2."""
    return (1 - p) ** 2 * (p - 1) + 2 * p * (1 - p) ** 2 * p.log()


@pytest.mark.parametrize(
    ("loss", "labels", "expected"),
    [
        (cross_entropy, torch.tensor([1, 0]), lambda z, y: (z.softmax(-1) - functional.one_hot(y, 3)) / 2),
        (mse_over_classes, torch.tensor([1, 0]), lambda z, y: 2 * (z - functional.one_hot(y, 3)) / 2),
        (binary_cross_entropy, torch.tensor([[1.0, 0, 1], [0, 0, 1]]), lambda z, y: (z.sigmoid() - y) / 6),
        (focal_cross_entropy, torch.tensor([1, 0]), focal_gradient),
        (focal_binary_cross_entropy, torch.ones(2, 3), lambda z, _: of_a_yes(z.sigmoid()) / 6),
        (focal_binary_cross_entropy, torch.zeros(2, 3), lambda z, _: -of_a_yes(1 - z.sigmoid()) / 6),
    ],
)
def test_gradient_scale_is_the_documented_one(loss, labels, expected):
    z = logits(2, 3).requires_grad_()
    loss(z, labels).backward()
    torch.testing.assert_close(z.grad, expected(z.detach(), labels), rtol=1e-12, atol=1e-15)


def test_gradient_scale_of_mse_is_the_documented_one():
    z, labels = logits(3, 1).requires_grad_(), torch.tensor([1.0, NAN, 2.0], dtype=torch.float64)
    mse(z, labels).backward()
    expected = (z.detach() - labels[:, None]).nan_to_num(0.0) * 2 / 2
    torch.testing.assert_close(z.grad, expected, rtol=1e-12, atol=0)


def test_minima():
    classes = torch.tensor([2, 0])
    one_hot = functional.one_hot(classes, 3).double()
    assert mse_over_classes(one_hot, classes).item() == 0.0
    assert mse(one_hot[:, :1], one_hot[:, 0]).item() == 0.0
    assert cross_entropy(200 * one_hot, classes).item() == 0.0
    assert binary_cross_entropy(200 * (one_hot - 0.5), one_hot).item() < 1e-40


@pytest.mark.parametrize("loss", [cross_entropy, focal_cross_entropy, mse_over_classes])
def test_tokens_of_a_batch_are_rows(loss):
    z, labels = logits(2, 3, 4), torch.tensor([[0, 3, -100], [2, -100, -100]])
    torch.testing.assert_close(loss(z, labels), loss(z.view(6, 4), labels.view(6)), rtol=1e-14, atol=0)


@pytest.mark.parametrize("shapes", [((3, 1), (3,)), ((3,), (3,)), ((3,), (3, 1)), ((3, 1), (3, 1))])
def test_mse_goes_row_by_row_and_never_broadcasts(shapes):
    values, labels = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 2.0, 6.0])
    assert mse(values.view(shapes[0]), labels.view(shapes[1])).item() == 3.0


@pytest.mark.parametrize(
    ("loss", "logits_shape", "labels_shape"),
    [
        (cross_entropy, (3, 2), (3, 2)),
        (cross_entropy, (3,), (3,)),
        (mse_over_classes, (3, 2), (4,)),
        (binary_cross_entropy, (3, 2), (3,)),
        (mse, (3, 2), (3,)),
        (mse, (3, 1), (4,)),
    ],
)
def test_shapes_that_do_not_fit_are_refused(loss, logits_shape, labels_shape):
    with pytest.raises(ModelError, match=loss.__name__):
        loss(torch.zeros(logits_shape), torch.zeros(labels_shape))
