"""Named student shapes, and the arithmetic that says whether a shape can exist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from tinybert.errors import ModelError
from tinybert.lookup import nearest


@dataclass(frozen=True)
class Shape:
    """The four numbers that make an encoder's size, and the layers of a decoder beside it, as wide as it."""

    num_hidden_layers: int
    hidden_size: int
    num_attention_heads: int
    intermediate_size: int
    num_decoder_layers: int = 0


# The heads of the narrow shapes are 26, 16 and 32 wide: a divisor of the usual 12 heads comes first,
# so that each student head can start from one teacher head (see `tinybert.models.start.project`).
BUILTIN: dict[str, Shape] = {
    "6l-768d": Shape(6, 768, 12, 3072),
    "6l-384d": Shape(6, 384, 12, 1536),
    "4l-384d": Shape(4, 384, 12, 1536),
    "3l-384d": Shape(3, 384, 12, 1536),
    "4l-312d": Shape(4, 312, 12, 1200),
    "4l-192d": Shape(4, 192, 12, 768),
    "2l-128d": Shape(2, 128, 4, 512),
    "6-2l-384d": Shape(6, 384, 12, 1536, 2),
    "6-1l-384d": Shape(6, 384, 12, 1536, 1),
    "4-1l-384d": Shape(4, 384, 12, 1536, 1),
    "4-1l-312d": Shape(4, 312, 12, 1200, 1),
    "4-1l-256d": Shape(4, 256, 8, 1024, 1),
    "2-1l-128d": Shape(2, 128, 4, 512, 1),
}
"""``4-1l-256d``: four layers of an encoder, one of a decoder."""
DECODER = "num_decoder_layers"


def resolve_shape(name: str | None, overrides: Mapping[str, int | None]) -> Shape:
    """Return the named shape with some of its numbers replaced.

    Args:
        name: A key of `BUILTIN`, or None when `overrides` gives all four numbers.
        overrides: Field of `Shape` → value; None leaves the named shape's own.

    Raises:
        ModelError: The name or a field is unknown, a number is missing, or the shape cannot exist.

    Example:
        >>> resolve_shape("4l-312d", {"num_hidden_layers": 3}).num_hidden_layers
        3
    """
    subject = f"student shape {name}" if name else "student shape"
    given = {key: value for key, value in overrides.items() if value is not None}
    known = [field.name for field in fields(Shape)]
    unknown = [key for key in given if key not in known]
    if unknown:
        raise ModelError(subject, [f"{key}: not part of a shape{nearest(key, known)}" for key in unknown])
    if name is None:
        missing = [key for key in known if key not in given and key != DECODER]
        if missing:
            raise ModelError(
                subject, f"give a named shape ({', '.join(BUILTIN)}) or also {', '.join(missing)}"
            )
        shape = Shape(**given)
    elif name in BUILTIN:
        shape = replace(BUILTIN[name], **given)
    else:
        raise ModelError(subject, f"unknown shape{nearest(name, BUILTIN)} (allowed: {', '.join(BUILTIN)})")
    problems = shape_problems(shape)
    if problems:
        raise ModelError(subject, problems)
    return shape


def shape_problems(shape: Shape) -> list[str]:
    """Say, one line each, why this shape cannot exist; an empty list if it can."""
    problems = [
        f"{field.name} = {value}: must be at least 1"
        for field in fields(shape)
        if (value := getattr(shape, field.name)) < (field.name != DECODER)
    ]
    heads, width = shape.num_attention_heads, shape.hidden_size
    if not problems and width % heads:
        divisors = ", ".join(str(n) for n in range(1, min(width, 64) + 1) if width % n == 0)
        problems.append(
            f"hidden_size = {width} is not a multiple of num_attention_heads = {heads}: "
            f"take num_attention_heads from {divisors}, or hidden_size = {width - width % heads or heads}"
        )
    return problems
