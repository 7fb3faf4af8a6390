"""A conversation with a model that writes: the turns so far are the source of the next reply."""

from __future__ import annotations

from collections.abc import Generator
from typing import cast

from tinybert.inference.generation_options import streamed
from tinybert.inference.predictor import Predictor
from tinybert.tasks import WrittenText
from tinybert.tasks.seq2seq.turns import source_of_turns


class Chat:
    """Replies to a line, with the turns before it.

    Args:
        predictor: Of a model that writes texts.
        history: Turns before a line that are read with it, the user's and the replies; the beginning is cut
            where they are longer than the model reads. None: as many as the run was trained with.

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
        written = yield from self.predictor.write_stream(
            source_of_turns([*self.turns, line], max_turns=self.history)
        )
        self.turns += [line, written.text]
        self.num_turns += 1
        return written

    def reset(self) -> None:
        """Forget all turns."""
        self.turns.clear()
        self.num_turns = 0
