"""Augmented sentences a second against the plain loop of the paper, on the same sentences in one run.

    python benchmarks/augmentation.py --data SST2_FOLDER/train.jsonl --model RUN_OF_PRETRAIN --json

The plain loop is algorithm 1 of arXiv:1909.10351 as it is written: for each word one forward of one sentence
in fp32, scores for every token, a sort of the whole vocabulary, then N copies. Ours makes the same number of
copies from one mask a row, from several (the default), and so in several processes. All but the last take
turns, so that a busy moment of the machine falls on all of them; the last is measured between two turns of
the plain loop. Figures are medians and ratios of medians, by the clock and by the processor time of this
process: on a busy machine only the latter says much, with --threads 1. A word of several
pieces costs all of them the same kind of look-up: the nearest rows of the model's embedding matrix.

Also measured is how far the K candidates of a word differ from those of one mask a row in fp32: the mean
share of them that is the same. It says something about a trained head only. Without --model the head is
random: the speed does not depend on it.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from tinybert.augmentation import BLOCK, Augmenter, Example, build_method, copies_in_blocks
from tinybert.augmentation.filler import WordFiller
from tinybert.augmentation.replacement import content_words
from tinybert.augmentation.word_pieces import embedding_vectors
from tinybert.config.recipe import AugmentSection
from tinybert.models import load_config, load_tokenizer
from tinybert.models.masked_lm import load_masked_lm
from tinybert.sources import fetch
from tinybert.tasks.classification import CLASSIFICATION
from tinybert.training import choose_precision

SECTION = AugmentSection(method="tinybert", copies=20, probability=0.4, num_candidates=15)
Rows = list[dict[str, Any]]


def save_filler(folder: Path) -> Path:
    """Save MiniLM with a random masked-LM head."""
    source = fetch("bundled:minilm")
    load_masked_lm(source, new_head=True).save_pretrained(folder)
    load_tokenizer(source).save_pretrained(folder)
    return folder


def make_augmenter(
    model: Path, *, bf16: bool, masks_per_row: Any, num_threads: int | None = None
) -> Augmenter:
    """Return ours; also called in the worker processes."""
    if num_threads is not None:
        torch.set_num_threads(num_threads)
    masked_lm, tokenizer = load_masked_lm(model), load_tokenizer(model)
    filler = WordFiller(
        masked_lm, tokenizer, num_candidates=SECTION.num_candidates, bf16=bf16, masks_per_row=masks_per_row
    )
    vectors = embedding_vectors(masked_lm, tokenizer)
    method = build_method(SECTION, language="en", filler=filler, vectors=vectors)
    return Augmenter(method, num_copies=SECTION.copies, language="en")


class PlainLoop:
    """Algorithm 1 of the paper, one word after the other."""

    def __init__(self, model: Path) -> None:
        self.model = load_masked_lm(model)
        self.tokenizer = load_tokenizer(model)
        self.pieces = self.tokenizer.convert_ids_to_tokens(range(len(self.tokenizer)))
        embeddings = self.model.get_input_embeddings().weight.detach()
        self.embeddings = torch.nn.functional.normalize(embeddings, dim=1)
        self.rng = random.Random(0)

    def whole_words(self, order: torch.Tensor) -> list[str]:
        """Return the K first pieces of this order that are words."""
        found: list[str] = []
        for index in order.tolist():
            if self.pieces[index].isalpha():
                found.append(self.pieces[index])
                if len(found) == SECTION.num_candidates:
                    break
        return found

    def candidates(self, sentence: Sequence[list[str]], place: int) -> list[str]:
        """Return the candidates of one word: one forward, or one search among the embeddings."""
        pieces = list(sentence)
        if len(pieces[place]) == 1:
            pieces[place] = [self.tokenizer.mask_token]
            flat = ["[CLS]", *(piece for each in pieces for piece in each), "[SEP]"]
            ids = torch.tensor([self.tokenizer.convert_tokens_to_ids(flat)])
            scores = self.model(input_ids=ids).logits[0, flat.index(self.tokenizer.mask_token)]
        else:
            own = self.embeddings[self.tokenizer.convert_tokens_to_ids(pieces[place])].mean(0)
            scores = self.embeddings @ own
        return self.whole_words(torch.argsort(scores, descending=True))

    @torch.no_grad()
    def __call__(self, rows: Rows) -> list[list[str]]:
        """Return the copies of each row."""
        found: list[list[str]] = []
        for row in rows:
            example = Example.of(row["text"], "en")
            pieces = [self.tokenizer.tokenize(word) for word in example.words]
            candidates = {place: self.candidates(pieces, place) for place in content_words(example, "en")}
            copies: list[str] = []
            for _ in range(SECTION.copies):
                changes = [
                    (place, self.rng.choice(words))
                    for place, words in candidates.items()
                    if words and self.rng.random() < SECTION.probability
                ]
                text = example.with_words(changes).text
                if text not in copies:
                    copies.append(text)
            found.append(copies)
        return found


def seconds_a_row(work: Callable[[Rows], object], rows: Rows) -> tuple[float, float]:
    """Return the seconds a row of one call, by the clock and of the processor."""
    start, processor = time.perf_counter(), time.process_time()
    work(rows)
    return (time.perf_counter() - start) / len(rows), (time.process_time() - processor) / len(rows)


def seconds_with_processes(make: Callable[[], Augmenter], rows: Rows, count: int) -> float:
    """Return the seconds a row once all processes are at work and before the first runs dry."""
    made = copies_in_blocks(make, rows, format=CLASSIFICATION.format, seed=0, num_processes=count)
    times = [time.perf_counter() for _ in made]
    first, last = count - 1, len(times) - 1 - count
    return (times[last] - times[first]) / ((last - first) * BLOCK)


def overlap(filler: WordFiller, reference: WordFiller, rows: Rows) -> float:
    """Return which share of the reference's candidates the filler proposes too."""
    examples = [Example.of(row["text"], "en") for row in rows]
    sentences = [example.words for example in examples]
    places = [content_words(example, "en") for example in examples]
    shares = [
        len({*own} & {*its}) / len(its)
        for ours, theirs in zip(
            filler.candidates(sentences, places), reference.candidates(sentences, places), strict=True
        )
        for own, its in zip(ours, theirs, strict=True)
        if its
    ]
    return statistics.mean(shares)


def measure_overlaps(model: Path, rows: Rows) -> dict[str, float]:
    """Compare candidates with those of one mask a row in fp32."""
    masked_lm, tokenizer = load_masked_lm(model), load_tokenizer(model)

    def filler(*, bf16: bool, masks_per_row: Any) -> WordFiller:
        return WordFiller(masked_lm, tokenizer, num_candidates=15, bf16=bf16, masks_per_row=masks_per_row)

    reference = filler(bf16=False, masks_per_row=1)
    return {
        "one mask a row, bf16": overlap(filler(bf16=True, masks_per_row=1), reference, rows),
        "several masks a row, fp32": overlap(filler(bf16=False, masks_per_row="auto"), reference, rows),
        "several masks a row, bf16": overlap(filler(bf16=True, masks_per_row="auto"), reference, rows),
    }


def measure(options: argparse.Namespace, model: Path) -> dict[str, Any]:
    """Let the contestants take turns and return medians and ratios."""
    bf16 = choose_precision(options.precision) == "bf16"
    with Path(options.data).open(encoding="utf-8") as file:
        rows: Rows = [{"text": json.loads(line)["text"]} for line in file]
    if len(rows) < 2 * BLOCK:
        raise SystemExit(f"{options.data}: {len(rows)} rows; give {2 * BLOCK} or more")
    random.Random(0).shuffle(rows)
    plain = PlainLoop(model)
    make = partial(make_augmenter, model, bf16=bf16)
    one, several = make(masks_per_row=1), make(masks_per_row="auto")
    names = ("plain loop", "one mask a row", "several masks a row")
    seconds: dict[str, list[float]] = {name: [] for name in names}
    processor: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(options.repeats + 1):
        start = turn * BLOCK % (len(rows) - BLOCK)
        part = rows[start : start + BLOCK]
        taken = (
            seconds_a_row(plain, part[: options.plain_rows]),
            seconds_a_row(lambda rows: one.copies_of(rows, format=CLASSIFICATION.format, seed=0), part),
            seconds_a_row(lambda rows: several.copies_of(rows, format=CLASSIFICATION.format, seed=0), part),
        )
        for name, (by_clock, by_processor) in zip(names, taken, strict=True):
            if turn:  # the first turn warms up
                seconds[name].append(by_clock)
                processor[name].append(by_processor)
    if options.processes > 1:
        name = f"several masks a row, {options.processes} processes"
        worker = partial(make, masks_per_row="auto", num_threads=1)
        blocks = 2 * options.processes + 2 * options.repeats
        many = (rows * (blocks * BLOCK // len(rows) + 1))[: blocks * BLOCK]
        seconds[name] = [seconds_with_processes(worker, many, options.processes)]
        seconds["plain loop"].append(seconds_a_row(plain, rows[-options.plain_rows :])[0])
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    worked = {name: statistics.median(values) for name, values in processor.items()}
    words = [len(content_words(Example.of(row["text"], "en"), "en")) for row in rows[:BLOCK]]
    return {
        "threads": torch.get_num_threads(),
        "precision": "bf16" if bf16 else "fp32",
        "model": f"{load_config(model).model_type}, random head" if options.model is None else options.model,
        "words_asked_a_sentence": round(statistics.mean(words), 1),
        "sentences_a_second": {name: round(1 / value, 1) for name, value in medians.items()},
        "fastest": {name: round(1 / min(values), 1) for name, values in seconds.items()},
        "times_plain_loop": {
            name: round(medians["plain loop"] / value, 1) for name, value in medians.items()
        },
        "sentences_a_processor_second": {name: round(1 / value, 1) for name, value in worked.items()},
        "times_plain_loop_by_processor_time": {
            name: round(worked["plain loop"] / value, 1) for name, value in worked.items()
        },
        "overlap_of_candidates": {
            name: round(value, 3)
            for name, value in measure_overlaps(model, rows[: options.overlap_rows]).items()
        }
        if options.overlap_rows
        else {},
    }


def main() -> None:
    """Run the benchmark and print what it finds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="JSON lines with text")
    parser.add_argument("--model", help="checkpoint with a masked-LM head; default: MiniLM, random head")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--plain-rows", type=int, default=32, help="rows a turn of the plain loop")
    parser.add_argument("--overlap-rows", type=int, default=BLOCK)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as name:
        model = save_filler(Path(name)) if options.model is None else Path(options.model)
        result = measure(options, model)
    if options.json:
        print(json.dumps(result, indent=2))
        return
    for key, value in result.items():
        print(f"{key}: {value}" if not isinstance(value, dict) else f"{key}:")
        for name, number in value.items() if isinstance(value, dict) else ():
            print(f"  {number:8} {name}")


if __name__ == "__main__":
    main()
