"""A conversation with a model that writes: the turns so far are the source of the next reply."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import cast

from tinybert.inference.generation_options import streamed
from tinybert.inference.predictor import Predictor
from tinybert.tasks import WrittenText


class Chat:
    """Replies to a line, with the turns before it.

    Args:
        predictor: Of a model that writes texts.
        history: Turns before a line that are read with it, the user's and the replies; the oldest are dropped
            where they are longer than the model reads. None: as many as the run was trained with, if any.

    Attributes:
        num_turns: Replies since the beginning, or the last :meth:`reset`.

    Raises:
        RecipeError: The model writes no texts, or several beams or texts were asked for.
    """

    def __init__(self, predictor: Predictor, *, history: int | None = None) -> None:
        streamed(predictor.writing, model=str(predictor.path), task=predictor.task.name)
        self.predictor = predictor
        trained = cast(int, getattr(predictor.task.format, "max_turns", 0))
        self.history = trained if history is None else history
        self.turns: list[str] = []
        self.num_turns = 0

    def reply(self, line: str) -> Generator[str, None, WrittenText]:
        """Write the reply to a line, piece by piece; return all of it, and remember both then."""
        written = yield from self.predictor.write_stream(self._source([*self.turns, line]))
        self.turns += [line, written.text]
        self.num_turns += 1
        return written

    def reset(self) -> None:
        """Forget all turns."""
        self.turns.clear()
        self.num_turns = 0

    def _source(self, turns: Sequence[str]) -> str:
        """Return the last turns, as many as are read and as fit."""
        tokenizer = self.predictor.tokenizer
        separator = str(tokenizer.sep_token or tokenizer.eos_token)
        for earlier in range(min(self.history, len(turns) - 1), 0, -1):
            source = source_of_turns(turns, max_turns=earlier, separator=separator)
            if len(tokenizer(source)["input_ids"]) <= self.predictor.max_length:
                return source
        return turns[-1]


def source_of_turns(turns: Sequence[str], *, max_turns: int, separator: str) -> str:
    """Return the source of a reply to the last turn, with earlier ones before it.

    Args:
        turns: The newest last; those that are empty are left out.
        max_turns: Most earlier turns.
        separator: Stands between two of them.
    """
    return f" {separator} ".join(turn for turn in turns[-1 - max_turns :] if turn.strip())
