"""How fast a student tags, beside transformers' own pipeline, and whether both find the same entities.

    python benchmarks/tagging.py MODEL DATA [--rows N]

MODEL is a run or a checkpoint for named entities, DATA a folder or a file of sentences. Both read the same
texts of the test split at batch 32, in turns; medians of five rounds are compared. The pipeline takes words
apart at every mark of punctuation ("U", ".", "S", "."), which no training text does: so ours is also given
the words as the pipeline cuts them, and then both should find the same. F1 is that of whole entities by their
characters.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

from tinybert import Predictor
from tinybert.config import DataSection
from tinybert.data import load
from tinybert.stages.pipeline import quiet_libraries
from tinybert.tasks.ner import NER
from tinybert.tasks.ner.tags import entities_of

Spans = set[tuple[int, int, int, str]]
ROUNDS = 5


def main() -> None:
    """Tag the texts with both, in turns."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--rows", type=int, default=1000)
    options = parser.parse_args()
    quiet_libraries()
    data = load(options.data, settings=DataSection(), format=NER.format, need=("test",))
    rows = data.splits["test"].select(range(min(options.rows, len(data.splits["test"]))))
    texts = list(rows["text"])
    ours, tokenizer = Predictor(options.model), AutoTokenizer.from_pretrained(options.model)
    theirs = pipeline(
        "token-classification",
        model=AutoModelForTokenClassification.from_pretrained(options.model),
        tokenizer=tokenizer,
        aggregation_strategy="first",
    )
    cut = tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str
    cuts = [[span for _, span in cut(text)] for text in texts]
    their_words = {
        "text": texts,
        "word_starts": [[start for start, _ in spans] for spans in cuts],
        "word_ends": [[end for _, end in spans] for spans in cuts],
    }

    def tag() -> Spans:
        return spans_of(ours(texts))

    def tag_their_words() -> Spans:
        return spans_of(ours.task.decode(ours.chunk_outputs(their_words), ours.labels))

    def tag_by_pipeline() -> Spans:
        found = theirs(texts, batch_size=32)
        return {
            (row, e["start"], e["end"], e["entity_group"]) for row, part in enumerate(found) for e in part
        }

    taggers = [("tinybert", tag), ("tinybert, the pipeline's words", tag_their_words)]
    report([*taggers, ("pipeline", tag_by_pipeline)], gold_spans(rows, data.labels.names), len(texts))


def spans_of(answers: list) -> Spans:
    """Return the entities of all rows."""
    return {(row, e.start, e.end, e.label) for row, answer in enumerate(answers) for e in answer.entities}


def gold_spans(rows: list[dict], names: tuple[str, ...]) -> Spans:
    """Return the entities that stand in the rows."""
    return {
        (number, row["word_starts"][first], row["word_ends"][behind - 1], kind)
        for number, row in enumerate(rows)
        for first, behind, kind in entities_of([names[tag] for tag in row["label"]])
    }


def report(taggers: list[tuple[str, Callable[[], Spans]]], gold: Spans, num_rows: int) -> None:
    """Print sentences a second, F1, and how many entities are those of the pipeline."""
    seconds: dict[str, list[float]] = {name: [] for name, _ in taggers}
    found: dict[str, Spans] = {}
    for _ in range(ROUNDS):
        for name, tag in taggers:
            began = time.perf_counter()
            found[name] = tag()
            seconds[name].append(time.perf_counter() - began)
    theirs = found[taggers[-1][0]]
    for name, _ in taggers:
        same = len(theirs & found[name]) / max(len(theirs | found[name]), 1)
        f1 = 2 * len(gold & found[name]) / max(len(gold) + len(found[name]), 1)
        rate = num_rows / statistics.median(seconds[name])
        print(f"{name:<31} {rate:>6.0f} sentences/s   F1 {f1:.4f}   {same:.1%} the pipeline's entities")


if __name__ == "__main__":
    main()
