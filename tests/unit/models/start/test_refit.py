import pytest
import torch
from torch import nn

from tinybert.models.start.layer_fit import cut_head
from tinybert.models.start.refit import refit_linear, refit_map, refit_norm


def _normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_with_nothing_to_correct_the_start_comes_back():
    start, inputs = _normal(3, 5), _normal(40, 5, seed=1)
    linear = nn.Linear(5, 3)
    refit_linear(linear, inputs, inputs @ start.T + 7, start_OI=start)
    torch.testing.assert_close(linear.weight.data, start, atol=1e-5, rtol=0)
    torch.testing.assert_close(linear.bias.data, torch.full((3,), 7.0), atol=1e-4, rtol=0)


def test_enough_tokens_outweigh_a_wrong_start():
    wanted, inputs = _normal(3, 5), _normal(400, 5, seed=1) + 2
    linear = nn.Linear(5, 3)
    refit_linear(linear, inputs, inputs @ wanted.T - 1, start_OI=torch.zeros(3, 5), ridge=1e-6)
    torch.testing.assert_close(linear.weight.data, wanted, atol=1e-4, rtol=0)
    torch.testing.assert_close(linear.bias.data, torch.full((3,), -1.0), atol=1e-3, rtol=0)


def test_a_map_by_hand():
    # x = ±1, y = ±2: w = 2n / (n + ridge · n) from start 0; what is added to both has no say
    inputs, targets = torch.tensor([[1.0], [-1.0]]), torch.tensor([[2.0], [-2.0]])
    assert refit_map(torch.zeros(1, 1), inputs, targets, ridge=1.0).item() == pytest.approx(1.0)
    assert refit_map(torch.zeros(1, 1), inputs, targets + 2, ridge=1.0).item() == pytest.approx(1.0)
    assert refit_map(torch.tensor([[2.0]]), inputs, targets, ridge=1.0).item() == 2.0


def test_the_ridge_solution_by_hand():
    # x = ±1, y = ±2, start 0: w = 2n / (n + ridge · n)
    linear = nn.Linear(1, 1)
    refit_linear(
        linear,
        torch.tensor([[1.0], [-1.0]]),
        torch.tensor([[2.0], [-2.0]]),
        start_OI=torch.zeros(1, 1),
        ridge=1.0,
    )
    assert abs(linear.weight.item() - 1.0) < 1e-6


def test_fewer_tokens_than_inputs_leave_the_unseen_directions_at_the_start():
    start = _normal(2, 4)
    inputs = torch.tensor([[1.0, 0, 0, 0], [-1.0, 0, 0, 0]])
    linear = nn.Linear(4, 2)
    refit_linear(linear, inputs, torch.zeros(2, 2), start_OI=start)
    torch.testing.assert_close(linear.weight.data[:, 1:], start[:, 1:])
    assert linear.weight.data[:, 0].abs().max() < 0.05 * start[:, 0].abs().max()


def test_a_norm_is_fitted_coordinate_by_coordinate():
    inputs = _normal(200, 6)
    teacher, student = nn.LayerNorm(6), nn.LayerNorm(6)
    teacher.weight.data, teacher.bias.data = _normal(6, seed=1), _normal(6, seed=2)
    with torch.no_grad():
        refit_norm(student, inputs, teacher(inputs), start_O=torch.ones(6))
        torch.testing.assert_close(student(inputs), teacher(inputs), atol=1e-2, rtol=1e-3)


def test_a_coordinate_that_never_moves_keeps_its_start():
    inputs = torch.zeros(10, 4)
    norm = nn.LayerNorm(4)
    refit_norm(norm, inputs, torch.ones(10, 4), start_O=torch.full((4,), 3.0))
    assert norm.weight.tolist() == [3.0] * 4
    assert norm.bias.tolist() == [1.0] * 4


def test_cutting_a_head_of_low_rank_loses_nothing():
    q, k, v = (_normal(50, 3, seed=i) @ _normal(3, 8, seed=9 + i) for i in range(3))
    output = _normal(8, 10, seed=20)
    cut = cut_head(2, q, k, v, output_dS=output, rank=4)
    assert cut.head == 2
    scores = (q @ cut.q) @ (k @ cut.k).T / 4**0.5
    torch.testing.assert_close(scores, q @ k.T / 8**0.5, atol=2e-2, rtol=1e-2)
    torch.testing.assert_close((v @ cut.v) @ cut.output, v @ output, atol=2e-2, rtol=1e-2)


def test_cutting_a_head_is_the_best_cut_for_these_tokens():
    q, k, v = (_normal(60, 8, seed=i) * torch.linspace(0.1, 3, 8) for i in range(3))
    cut = cut_head(0, q, k, v, output_dS=_normal(8, 10, seed=5), rank=5)
    scores = (q @ cut.q) @ (k @ cut.k).T * (8 / 5) ** 0.5
    best = torch.linalg.svdvals(q @ k.T)[5:].square().sum()
    torch.testing.assert_close((scores - q @ k.T).square().sum(), best, rtol=1e-3, atol=0)


def test_a_wider_head_is_filled_up_with_zeros_and_scores_stay():
    q, k, v = (_normal(10, 4, seed=i) for i in range(3))
    output = _normal(4, 6, seed=5)
    cut = cut_head(0, q, k, v, output_dS=output, rank=8)
    torch.testing.assert_close((q @ cut.q) @ (k @ cut.k).T / 8**0.5, q @ k.T / 4**0.5)
    torch.testing.assert_close((v @ cut.v) @ cut.output, v @ output)
