"""What every line of ``losses.BUILTIN`` keeps to. A new line is tested the day it is added.

Inputs are made from the name of a loss's first parameter; garbage stands at every masked place.
"""

import inspect
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from tinybert.errors import ModelError
from tinybert.losses import BUILTIN, Loss
from tinybert.tasks import BUILTIN as TASKS

NUM_HEADS, NUM_TOKENS, WIDTH, NUM_CLASSES = 2, 4, 3, 3
LENGTHS = (4, 0, 3, 1)  # one row holds nothing real
OPTIONS = {
    "temperature": 2.0,
    "num_relation_heads": 3,
    "class_weights": torch.tensor([0.5, 1.0, 3.0]),
    "focal_gamma": 1.5,
}
TOKEN_KINDS = {
    "student_scores_BHLL": "BHLL",
    "student_hidden_BLD": "BLD",
    "student_vectors_BHLD": "BHLD",
    "student_decoder_hidden_BTD": "BTD",
    "student_cross_scores_BHTL": "BHTL",
}
SIZES = {"H": NUM_HEADS, "D": WIDTH}

EVERY = pytest.mark.parametrize("name", BUILTIN)


@dataclass
class Case:
    student: Tensor
    target: Tensor
    options: dict[str, object]
    weights: list[int] = field(default_factory=list)  # of each row, when batches are joined

    def value(self, loss: Loss) -> Tensor:
        return loss(self.student, self.target, **self.options)

    def gradient(self, loss: Loss) -> Tensor:
        student = self.student.clone().requires_grad_()
        value = loss(student, self.target, **self.options)
        (gradient,) = torch.autograd.grad(value, student)
        return gradient


def first_parameter(loss: Loss) -> str:
    return next(iter(inspect.signature(loss).parameters))


def make(name, lengths=LENGTHS, *, padding=0, garbage=0.0, dtype=torch.float64, rows=slice(None)) -> Case:
    """Build the same real content whatever the lengths' padding, the garbage and the choice of rows."""
    loss, first = BUILTIN[name], first_parameter(BUILTIN[name])
    generator = torch.Generator().manual_seed(7)
    given = {key: OPTIONS[key] for key in inspect.signature(loss).parameters if key in OPTIONS}
    lengths = torch.tensor(lengths)
    if first in TOKEN_KINDS:
        return _of_tokens(TOKEN_KINDS[first], given, lengths, padding, garbage, dtype, rows, generator)
    if first == "student_logits":
        return _of_logits(given, lengths, padding, garbage, dtype, rows, generator)
    if first == "logits":
        return _of_labels(name, given, lengths, padding, garbage, dtype, rows, generator)
    raise AssertionError(f"{name}: first parameter '{first}' has a new name; say here what to feed it with")


def _of_tokens(axes, given, lengths, padding, garbage, dtype, rows, generator):
    num_rows, length = len(lengths), NUM_TOKENS + padding
    mask_BL = torch.arange(length) < lengths[:, None]
    shape = [num_rows, *(SIZES.get(axis, NUM_TOKENS) for axis in axes[1:])]
    along_keys = mask_BL if axes[-1] == "L" else torch.ones(num_rows, shape[-1], dtype=torch.bool)
    real = mask_BL[:, :, None] & along_keys[:, None, :]
    real = real[:, None] if "H" in axes else real

    def draw():
        content = torch.randn(shape, generator=generator, dtype=torch.float64)
        wide = torch.zeros([*shape[:-2], *real.shape[-2:]], dtype=torch.float64)
        wide[..., :NUM_TOKENS, : shape[-1]] = content
        return torch.where(real, wide, garbage).to(dtype)[rows]

    weights = (lengths**2 if axes[-1] == "L" else lengths)[rows].tolist()
    masks = {f"mask_B{axis}": mask_BL[rows] for axis in "TL" if axis in axes}  # of one length: as tokens are
    return Case(draw(), draw(), {**given, **masks}, weights)


def _of_logits(given, lengths, padding, garbage, dtype, rows, generator):
    real_N = torch.cat([lengths > 0, torch.zeros(padding, dtype=torch.bool)])

    def draw():
        content = torch.randn(len(lengths), NUM_CLASSES, generator=generator, dtype=torch.float64)
        padded = torch.cat([content, torch.zeros(padding, NUM_CLASSES, dtype=torch.float64)])
        return torch.where(real_N[:, None], padded, garbage).to(dtype)[rows]

    return Case(draw(), draw(), {**given, "mask": real_N[rows]}, real_N[rows].long().tolist())


def _of_labels(name, given, lengths, padding, garbage, dtype, rows, generator):
    tasks = [task.name for task in TASKS.values() if BUILTIN[name] in task.hard_losses.values()]
    assert tasks, f"{name}: no task names this hard loss, so nobody can use it"
    num_rows, width = len(lengths) + padding, 1 if tasks[0] == "regression" else NUM_CLASSES
    real_N = torch.cat([lengths > 0, torch.zeros(padding, dtype=torch.bool)])
    content = torch.randn(len(lengths), width, generator=generator, dtype=torch.float64)
    logits = torch.cat([content, torch.zeros(padding, width, dtype=torch.float64)])
    logits = torch.where(real_N[:, None], logits, garbage).to(dtype)
    order = torch.arange(num_rows)
    labels = {
        "classification": torch.where(real_N, order % NUM_CLASSES, -100),
        "multilabel": torch.where(
            real_N[:, None], (order[:, None] + torch.arange(width)) % 2, torch.nan
        ).float(),
        "regression": torch.where(real_N, order.float() / 4, torch.nan),
    }[tasks[0]]
    return Case(logits[rows], labels[rows], given, real_N[rows].long().tolist())


@EVERY
def test_takes_two_tensors_and_the_rest_by_keyword(name):
    kinds = [parameter.kind for parameter in inspect.signature(BUILTIN[name]).parameters.values()]
    assert BUILTIN[name].__name__ == name
    assert kinds[2:] == [inspect.Parameter.KEYWORD_ONLY] * (len(kinds) - 2)


@EVERY
def test_is_one_positive_number(name):
    value = make(name).value(BUILTIN[name])
    assert value.shape == ()
    assert value.dtype == torch.float64
    assert value > 0


@EVERY
def test_gradcheck_with_garbage_at_masked_places(name):
    case = make(name, garbage=torch.nan)
    student = case.student.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: BUILTIN[name](x, case.target, **case.options), (student,))


@EVERY
@pytest.mark.parametrize("garbage", [1e30, torch.inf, -torch.inf, torch.nan])
def test_padding_and_what_stands_there_change_nothing(name, garbage):
    loss, plain, padded = BUILTIN[name], make(name), make(name, padding=3, garbage=garbage)
    torch.testing.assert_close(padded.value(loss), plain.value(loss), rtol=1e-12, atol=0)
    before, after = plain.gradient(loss), padded.gradient(loss)
    num_real_entries = int((before != 0).sum())
    assert int((after != 0).sum()) == num_real_entries > 0
    torch.testing.assert_close(after.square().sum(), before.square().sum(), rtol=1e-12, atol=0)


@EVERY
def test_parts_of_a_batch_join_to_the_whole(name):
    loss, whole = BUILTIN[name], make(name)
    parts = [make(name, rows=slice(0, 2)), make(name, rows=slice(2, None))]
    shares = [sum(part.weights) / sum(whole.weights) for part in parts]
    joined = sum(share * part.value(loss) for share, part in zip(shares, parts, strict=True))
    torch.testing.assert_close(joined, whole.value(loss), rtol=1e-12, atol=0)
    gradients = [share * part.gradient(loss) for share, part in zip(shares, parts, strict=True)]
    torch.testing.assert_close(torch.cat(gradients), whole.gradient(loss), rtol=1e-12, atol=1e-15)


@EVERY
@pytest.mark.parametrize("garbage", [2.0, torch.nan])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_all_masked_is_zero_with_zero_gradients(name, garbage, dtype):
    case = make(name, (0, 0, 0), garbage=garbage, dtype=dtype)
    assert case.value(BUILTIN[name]).item() == 0.0
    gradient = case.gradient(BUILTIN[name])
    assert gradient.dtype == dtype
    assert torch.equal(gradient, torch.zeros_like(gradient))


@EVERY
def test_half_precision_is_raised_inside(name):
    loss, half = BUILTIN[name], make(name, dtype=torch.bfloat16)
    target = half.target.double() if half.target.is_floating_point() else half.target
    exact = loss(half.student.double(), target, **half.options)
    value = half.value(loss)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value.double(), exact, rtol=1e-6, atol=0)
    assert half.gradient(loss).dtype == torch.bfloat16


@EVERY
def test_an_enclosing_autocast_changes_nothing(name):
    loss, case = BUILTIN[name], make(name, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = case.value(loss)
    torch.testing.assert_close(inside, case.value(loss), rtol=1e-6, atol=0)


@EVERY
def test_shapes_that_do_not_fit_are_named(name):
    case = make(name)
    other = torch.cat([case.target, case.target])
    with pytest.raises(ModelError) as refused:
        BUILTIN[name](case.student, other, **case.options)
    message = str(refused.value)
    assert message.startswith(name)
    assert str(tuple(case.student.shape)) in message
    assert str(tuple(other.shape)) in message


@EVERY
def test_docstring_answers_the_questions_of_the_room(name):
    text = inspect.getdoc(BUILTIN[name]) or ""
    needed = ["Minimum: ", "0.0 with zero", "Gradient: ", "join", "Args:", "Returns:", "Raises:"]
    missing = [part for part in [*needed, "Source: ", "Differs: ", ">>> "] if part not in text]
    assert not missing


AGAINST_A_TEACHER = [name for name, loss in BUILTIN.items() if first_parameter(loss).startswith("student_")]
TAUGHT = pytest.mark.parametrize("name", AGAINST_A_TEACHER)


@TAUGHT
def test_equality_is_the_minimum(name):
    loss, case = BUILTIN[name], make(name)
    at_teacher = Case(case.target, case.target, case.options)
    lowest = at_teacher.value(loss)
    assert at_teacher.gradient(loss).abs().max() < 1e-12
    generator = torch.Generator().manual_seed(1)
    for step in (1e-3, 0.1, 1.0):
        noise = step * torch.randn(case.target.shape, generator=generator, dtype=torch.float64)
        assert loss(case.target + noise, case.target, **case.options) > lowest


@TAUGHT
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_teacher_is_a_constant_and_may_come_from_inference_mode(name, dtype):
    loss, case = BUILTIN[name], make(name, dtype=dtype)
    student, teacher = case.student.clone().requires_grad_(), case.target.clone().requires_grad_()
    loss(student, teacher, **case.options).backward()
    assert teacher.grad is None
    with torch.inference_mode():
        inferred = case.target.clone()
    again = case.student.clone().requires_grad_()
    loss(again, inferred, **case.options).backward()
    assert torch.equal(again.grad, student.grad)


@TAUGHT
def test_a_mask_of_zeros_and_ones_is_as_good_as_a_bool(name):
    loss, case = BUILTIN[name], make(name)
    keys = [key for key in case.options if key.startswith("mask")]
    assert keys
    numbers = {**case.options, **{key: case.options[key].long() for key in keys}}
    assert torch.equal(loss(case.student, case.target, **numbers), case.value(loss))


@TAUGHT
def test_a_mask_of_another_shape_is_refused(name):
    case = make(name)
    for key in [key for key in case.options if key.startswith("mask")]:
        with pytest.raises(ModelError, match="mask"):
            BUILTIN[name](case.student, case.target, **{**case.options, key: case.options[key][:-1]})
