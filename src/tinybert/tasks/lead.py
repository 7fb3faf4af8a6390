"""The lead baseline of summaries: the first sentences of a text; and how many sentences a summary has."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tinybert.language import join_sentences, sentence_spans
from tinybert.tasks.task import Columns, Free, FreePredictor, Outputs

NUM_SENTENCES = 3
"""Sentences of a summary where no validation row says how many."""
MOST_SENTENCES = 5
MAX_ROWS_COMPARED = 500
"""So many validation rows decide: ROUGE of each is computed for each number of sentences."""

References = Sequence[Sequence[str] | None]
"""The right summaries of each row; None where it has none."""


def lead(as_outputs: Callable[[Columns, int], Outputs]) -> Free:
    """Return the lead baseline of a task whose rows have a ``text`` and whose gold labels are references.

    Args:
        as_outputs: ``(rows, number of sentences) -> outputs`` of the task.
    """

    def fitted(rows: Columns, gold: References) -> FreePredictor:
        texts = rows.get("text", ())
        count = best_num_sentences(lambda count: [first_sentences(text, count) for text in texts], gold)
        noun = "sentence" if count == 1 else f"{count} sentences"
        return FreePredictor(f"lead: the first {noun}", lambda rows: as_outputs(rows, count))

    return fitted


def first_sentences(text: str, count: int) -> str:
    """Return the first sentences of a text as one text.

    Example:
        >>> first_sentences("It rained. We left. It was late.", 2)
        'It rained. We left.'
    """
    return join_sentences(text[start:end] for start, end in sentence_spans(text)[:count])


def best_num_sentences(summaries: Callable[[int], Sequence[str]], gold: References) -> int:
    """Return how many sentences, 1 to 5, make the best summaries by ROUGE-L, the least of equal numbers.

    Args:
        summaries: ``(number of sentences) -> the summary of each row``.
        gold: The references of the rows; where none has any, the number is 3.
    """
    from tinybert.metrics.generation import text_scores

    rows = [index for index, references in enumerate(gold) if references][:MAX_ROWS_COMPARED]
    if not rows:
        return NUM_SENTENCES
    references = [gold[index] or () for index in rows]

    def score(count: int) -> float:
        found = summaries(count)
        return text_scores([found[index] for index in rows], references, names=["rougeL"])["rougeL"]

    return max(range(1, MOST_SENTENCES + 1), key=score)
