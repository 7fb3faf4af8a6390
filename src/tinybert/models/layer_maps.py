"""Which teacher layer each student layer starts from and learns from.

A map holds one teacher layer per student layer, counted from 1, so that an entry is also the index of the
hidden state behind that layer (index 0 is the embedding output).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from tinybert.errors import ModelError
from tinybert.lookup import find

LayerMap = Callable[[int, int], list[int]]


def uniform(num_student_layers: int, num_teacher_layers: int) -> list[int]:
    """Spread the student's layers evenly over the teacher's.

    When the teacher's depth is a multiple of the student's this is every (N/M)-th layer, as in TinyBERT
    (arXiv:1909.10351). Otherwise the first and the last layer are kept and the rest lie evenly between.

    Differs: the authors only allow multiples.

    Example:
        >>> uniform(4, 12), uniform(4, 6), uniform(1, 6)
        ([3, 6, 9, 12], [1, 3, 4, 6], [6])
    """
    if num_teacher_layers % num_student_layers == 0:
        step = num_teacher_layers // num_student_layers
        return [step * layer for layer in range(1, num_student_layers + 1)]
    stride = (num_teacher_layers - 1) / (num_student_layers - 1)
    return [1 + round(index * stride) for index in range(num_student_layers)]


def last(num_student_layers: int, num_teacher_layers: int) -> list[int]:
    """Take the teacher's last layers.

    Example:
        >>> last(4, 6)
        [3, 4, 5, 6]
    """
    return list(range(num_teacher_layers - num_student_layers + 1, num_teacher_layers + 1))


def first(num_student_layers: int, num_teacher_layers: int) -> list[int]:
    """Take the teacher's first layers.

    Source: what is dropped at the top is missed least (arXiv:2004.03844).

    Example:
        >>> first(4, 6)
        [1, 2, 3, 4]
    """
    return list(range(1, num_student_layers + 1))


BUILTIN: dict[str, LayerMap] = {
    "uniform": uniform,
    "first": first,
    "last": last,
}


def resolve_layer_map(
    spec: str | Sequence[int], num_student_layers: int, num_teacher_layers: int
) -> list[int]:
    """Return the layer map of a name or an explicit list.

    Args:
        spec: A key of `BUILTIN`, ``package.module:attr``, or the list itself.
        num_student_layers: Layers of the student, M.
        num_teacher_layers: Layers of the teacher, N ≥ M.

    Raises:
        ModelError: M > N, or the map has another length than M, leaves 1…N, or does not increase.
        RecipeError: The name is unknown.
    """
    if num_student_layers > num_teacher_layers:
        raise ModelError(
            "layer map",
            f"a student of {num_student_layers} layers cannot learn from a teacher of {num_teacher_layers}; "
            f"set student.num_hidden_layers to at most {num_teacher_layers}",
        )
    if isinstance(spec, str):
        layers = find(BUILTIN, spec, kind="layer map")(num_student_layers, num_teacher_layers)
    else:
        layers = list(spec)
    problems = _problems(layers, num_student_layers, num_teacher_layers)
    if problems:
        raise ModelError(f"layer map {spec if isinstance(spec, str) else layers}", problems)
    return layers


def _problems(layers: list[int], num_student_layers: int, num_teacher_layers: int) -> list[str]:
    problems: list[str] = []
    if len(layers) != num_student_layers:
        problems.append(
            f"{len(layers)} entries for a student of {num_student_layers} layers; "
            f"for example {uniform(num_student_layers, num_teacher_layers)}"
        )
    problems += [
        f"{layer}: the teacher's layers are counted 1 to {num_teacher_layers}"
        for layer in layers
        if not 1 <= layer <= num_teacher_layers
    ]
    if any(later <= earlier for earlier, later in pairwise(layers)):
        problems.append("must increase from entry to entry")
    return problems
