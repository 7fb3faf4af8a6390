"""A teacher with another tokenizer, against loops that say the same thing slowly."""

from __future__ import annotations

import itertools
import random

import pytest
import torch
from tests import tokens
from torch import Tensor

from tinybert.data import Collator
from tinybert.data.windows import encode_same_windows, encode_whole
from tinybert.tasks.ner import NER
from tinybert.teachers import TeacherOutput
from tinybert.teachers.pooled import UNCOVERED, PooledTeacher, pooling

PREFIX = "teacher_"
OWN, OTHER = tokens.make_tokenizer(), tokens.make_tokenizer(tokens.other_words())
Piece = tuple[int, int]


def side(rows: list[list[Piece]], prefix: str = "") -> dict[str, Tensor]:
    """Columns of a batch of pieces; (-1, -1) is a special token."""
    longest = max(map(len, rows))
    padded = [[*row, *[(-1, -1)] * (longest - len(row))] for row in rows]
    mask = [[1] * len(row) + [0] * (longest - len(row)) for row in rows]
    return {
        prefix + "piece_starts": torch.tensor([[start for start, _ in row] for row in padded]),
        prefix + "piece_ends": torch.tensor([[end for _, end in row] for row in padded]),
        prefix + "attention_mask": torch.tensor(mask),
    }


def made_batch(own: list[list[Piece]], theirs: list[list[Piece]]) -> dict[str, Tensor]:
    return side(own) | side(theirs, PREFIX)


def cut(rng: random.Random, length: int) -> list[Piece]:
    """A text of some characters cut at random, with gaps, between special tokens; one more in the middle."""
    borders = sorted({0, length, *(rng.randrange(length) for _ in range(rng.randint(0, 6)))})
    pieces = [pair for pair in itertools.pairwise(borders) if rng.random() < 0.85]
    middle = rng.randint(0, len(pieces))
    return [(-1, -1), *pieces[:middle], (-1, -1), *pieces[middle:], (-1, -1)]


def random_batch(seed: int, *, rows: int = 5) -> dict[str, Tensor]:
    rng = random.Random(seed)
    lengths = [rng.randint(1, 25) for _ in range(rows)]
    return made_batch([cut(rng, length) for length in lengths], [cut(rng, length) for length in lengths])


def real_batch(*, max_length: int = 64, teacher_length: int = 64) -> dict[str, Tensor]:
    """The same windows of entity rows, cut by two tokenizers."""
    rows = tokens.entity_columns(tokens.make_entity_rows(6))
    own = NER.format.encode(OWN, rows, max_length=max_length)
    theirs = encode_same_windows(OTHER, rows, own, max_length=teacher_length)
    columns = own | {PREFIX + name: column for name, column in theirs.items()}
    names = [name for name in columns if name not in ("example", "labels")]
    made = [{name: columns[name][i] for name in names} for i in range(len(own["input_ids"]))]
    return Collator(OWN, OTHER)(made)


def naive_pooling(batch: dict[str, Tensor]) -> Tensor:
    def at(name: str, row: int, place: int) -> int:
        return int(batch[name][row, place])

    (num_rows, own), theirs = batch["piece_starts"].shape, batch[PREFIX + "piece_starts"].shape[1]
    weights = torch.zeros(num_rows, own, theirs)
    for row in range(num_rows):
        special = [s for s in range(own) if at("attention_mask", row, s) and at("piece_starts", row, s) < 0]
        special_theirs = [
            t
            for t in range(theirs)
            if at(PREFIX + "attention_mask", row, t) and at(PREFIX + "piece_starts", row, t) < 0
        ]
        for s in range(own):
            for t in range(theirs):
                start, end = at("piece_starts", row, s), at("piece_ends", row, s)
                its_start, its_end = at(PREFIX + "piece_starts", row, t), at(PREFIX + "piece_ends", row, t)
                if start >= 0 and its_start >= 0:
                    weights[row, s, t] = len(set(range(start, end)) & set(range(its_start, its_end)))
            if s in special and special_theirs:
                rank = special.index(s) * (len(special_theirs) - 1) / max(len(special) - 1, 1)
                weights[row, s, special_theirs[round(rank)]] = 1
            if weights[row, s].sum() > 0:
                weights[row, s] /= weights[row, s].sum()
    return weights


class Fixed:
    """A teacher that says the same to every batch."""

    def __init__(self, output: TeacherOutput) -> None:
        self.output = output

    def answer(self, batch: dict[str, Tensor]) -> TeacherOutput:
        return self.output


def random_output(batch: dict[str, Tensor], *, per_token: bool = True) -> TeacherOutput:
    torch.manual_seed(0)
    rows, length = batch[PREFIX + "attention_mask"].shape
    return TeacherOutput(
        torch.randn(rows, length, 3) if per_token else torch.randn(rows, 3),
        {0: torch.randn(rows, length, 4), 2: torch.randn(rows, length, 4)},
        {1: torch.randn(rows, 2, length, length)},
        {
            2: (
                torch.randn(rows, 2, length, 3),
                torch.randn(rows, 2, length, 3),
                torch.randn(rows, 2, length, 3),
            )
        },
    )


@pytest.mark.parametrize("seed", range(6))
def test_the_weights_are_shared_characters_counted_one_by_one(seed: int) -> None:
    batch = random_batch(seed)
    torch.testing.assert_close(pooling(batch, PREFIX), naive_pooling(batch))


def test_the_weights_of_real_pieces_are_shared_characters_too() -> None:
    batch = real_batch()
    assert batch["piece_starts"].shape != batch[PREFIX + "piece_starts"].shape
    torch.testing.assert_close(pooling(batch, PREFIX), naive_pooling(batch))


@pytest.mark.parametrize("seed", range(6))
def test_the_weights_of_a_piece_add_up_to_one_or_are_all_zero(seed: int) -> None:
    weights = pooling(random_batch(seed), PREFIX)
    sums = weights.sum(-1)
    assert (weights >= 0).all()
    assert ((sums - 1).abs().lt(1e-6) | (weights == 0).all(-1)).all()
    assert (sums > 0.5).any()


def test_where_both_cut_alike_each_piece_hears_its_own() -> None:
    rows = tokens.entity_columns(tokens.make_entity_rows(6))
    own = NER.format.encode(OWN, rows, max_length=64)
    theirs = encode_same_windows(tokens.make_tokenizer(), rows, own, max_length=64)
    names = ("input_ids", "piece_starts", "piece_ends")
    made = [
        {name: own[name][i] for name in names} | {PREFIX + name: theirs[name][i] for name in names}
        for i in range(6)
    ]
    batch = Collator(OWN, tokens.make_tokenizer())(made)
    real = batch["attention_mask"].bool()
    assert not real.all()
    expected = torch.diag_embed(real.float())
    torch.testing.assert_close(pooling(batch, PREFIX), expected, atol=0, rtol=0)


def test_a_finer_cut_is_averaged_by_characters_and_a_coarser_one_is_shared() -> None:
    special = (-1, -1)
    batch = made_batch(
        [[special, (0, 4), (5, 7), (7, 9), special]], [[special, (0, 1), (1, 4), (5, 9), special]]
    )
    weights = pooling(batch, PREFIX)[0]
    assert weights[1].tolist() == [0, 0.25, 0.75, 0, 0]
    assert weights[2].tolist() == weights[3].tolist() == [0, 0, 0, 1, 0]


@pytest.mark.parametrize(
    ("own", "theirs", "expected"),
    [
        (2, 2, [0, 1]),
        (3, 3, [0, 1, 2]),
        (3, 4, [0, 2, 3]),  # RoBERTa puts two between question and context
        (4, 3, [0, 1, 1, 2]),
        (2, 3, [0, 2]),
        (3, 2, [0, 0, 1]),
        (2, 1, [0, 0]),
    ],
)
def test_special_tokens_are_matched_from_both_ends(own: int, theirs: int, expected: list[int]) -> None:
    batch = made_batch([[(-1, -1)] * own], [[(-1, -1)] * theirs])
    weights = pooling(batch, PREFIX)[0]
    assert (weights.sum(-1) == 1).all()
    assert weights.argmax(-1).tolist() == expected


def test_special_tokens_and_words_never_mix() -> None:
    batch = real_batch()
    special, special_theirs = batch["piece_starts"] < 0, batch[PREFIX + "piece_starts"] < 0
    mixed = special[:, :, None] != special_theirs[:, None, :]
    assert not pooling(batch, PREFIX)[mixed].any()


@pytest.mark.parametrize("which", ["", PREFIX])
def test_padding_takes_and_gives_nothing(which: str) -> None:
    batch = real_batch()
    padding = batch[which + "attention_mask"] == 0
    assert padding.any()
    weights = pooling(batch, PREFIX)
    assert not (weights if which == "" else weights.transpose(1, 2))[padding].any()


def test_every_part_of_an_answer_is_pooled_as_a_loop_would() -> None:
    batch = random_batch(3)
    output = random_output(batch)
    weights = naive_pooling(batch)
    pooled = PooledTeacher(Fixed(output), prefix=PREFIX).answer(batch)
    rows, own, theirs = weights.shape
    covered = weights.sum(-1) > 0
    torch.testing.assert_close(pooled.covered, covered)
    assert not covered.all()

    def mean(values: Tensor, row: int, place: int) -> Tensor:
        return sum(weights[row, place, t] * values[row, ..., t, :] for t in range(theirs))

    assert pooled.hidden.keys() == {0, 2}
    for row, place in itertools.product(range(rows), range(own)):
        for index, hidden in output.hidden.items():
            torch.testing.assert_close(pooled.hidden[index][row, place], mean(hidden, row, place))
        for ours, its in zip(pooled.vectors[2], output.vectors[2], strict=True):
            torch.testing.assert_close(ours[row, :, place], mean(its, row, place))
        expected = mean(output.logits, row, place) if covered[row, place] else torch.full((3,), UNCOVERED)
        torch.testing.assert_close(pooled.logits[row, place], expected)
    scores = torch.zeros(rows, 2, own, own)
    for row, a, b in itertools.product(range(rows), range(own), range(own)):
        for t, u in itertools.product(range(theirs), range(theirs)):
            scores[row, :, a, b] += weights[row, a, t] * weights[row, b, u] * output.scores[1][row, :, t, u]
    torch.testing.assert_close(pooled.scores[1], scores, atol=1e-5, rtol=1e-5)


def test_scores_of_a_whole_text_stay_as_they_are() -> None:
    batch = random_batch(1)
    output = random_output(batch, per_token=False)
    pooled = PooledTeacher(Fixed(output), prefix=PREFIX).answer(batch)
    assert torch.equal(pooled.logits, output.logits)
    assert pooled.hidden[0].shape[1] == batch["piece_starts"].shape[1]


def test_pieces_behind_the_teachers_last_have_no_answer() -> None:
    rows = {"text": ["ada smith rome north bab del carl"], "word_starts": [[0]], "word_ends": [[3]]}
    own = encode_whole(OWN, rows["text"], max_length=32)
    theirs = encode_whole(OTHER, rows["text"], max_length=11)  # nine letters and two special tokens
    made = {name: column[0] for name, column in own.items()}
    made |= {PREFIX + name: column[0] for name, column in theirs.items()}
    batch = Collator(OWN, OTHER)([made])
    last = int(batch[PREFIX + "piece_ends"].max())
    assert 0 < last < len(rows["text"][0])
    pooled = PooledTeacher(Fixed(random_output(batch)), prefix=PREFIX).answer(batch)
    starts = batch["piece_starts"][0]
    expected = (starts < 0) | (starts < last)
    assert torch.equal(pooled.covered[0], expected)
    assert not pooled.covered.all()
    assert (pooled.logits[0, ~expected] == UNCOVERED).all()
    assert (pooled.logits[0, expected] != UNCOVERED).all()


@pytest.mark.parametrize("which", ["", PREFIX])
def test_more_padding_on_either_side_changes_nothing(which: str) -> None:
    batch = real_batch()
    output = random_output(batch)
    before = PooledTeacher(Fixed(output), prefix=PREFIX).answer(batch)
    wider = dict(batch)
    for name, fill in (("piece_starts", -1), ("piece_ends", -1), ("attention_mask", 0)):
        wider[which + name] = torch.nn.functional.pad(batch[which + name], (0, 5), value=fill)
    if which:
        output = TeacherOutput(
            torch.nn.functional.pad(output.logits, (0, 0, 0, 5), value=7.0),
            {0: torch.nn.functional.pad(output.hidden[0], (0, 0, 0, 5), value=7.0)},
            {1: torch.nn.functional.pad(output.scores[1], (0, 5, 0, 5), value=7.0)},
        )
    after = PooledTeacher(Fixed(output), prefix=PREFIX).answer(wider)
    own = batch["piece_starts"].shape[1]
    torch.testing.assert_close(after.logits[:, :own], before.logits)
    torch.testing.assert_close(after.hidden[0][:, :own], before.hidden[0])
    torch.testing.assert_close(after.scores[1][:, :, :own, :own], before.scores[1])
    assert torch.equal(after.covered[:, :own], before.covered)
    assert not after.covered[:, own:].any()


def test_a_half_precision_teacher_is_pooled_in_full() -> None:
    batch = random_batch(2)
    output = random_output(batch)
    half = TeacherOutput(output.logits.bfloat16(), {0: output.hidden[0].bfloat16()})
    pooled = PooledTeacher(Fixed(half), prefix=PREFIX).answer(batch)
    assert pooled.logits.dtype == pooled.hidden[0].dtype == torch.float32
