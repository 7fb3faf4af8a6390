"""Words that a masked language model would put at a place, for many places of many sentences at once.

Shapes: B rows, L tokens, M masks of all rows, D width, V pieces that may be proposed, G groups of them.

A forward for each word, a head that scores every token and a sort of the whole vocabulary are where the time
of the plain loop goes. Here rows of like length share a batch, the head scores the masks only, its decoder
keeps only the pieces that may be proposed, and several far-apart words of a sentence are masked in one row.
``benchmarks/augmentation.py`` measures both, and how far the results differ.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tinybert.augmentation.vectors import HAN_WORD
from tinybert.augmentation.word_pieces import whole_word_pieces
from tinybert.errors import ModelError
from tinybert.models import num_positions
from tinybert.models.inputs import model_inputs
from tinybert.models.masked_lm import HEADS, only_at

MASKED_SHARE = 0.15
"""Of a row's pieces, rounded, as in the training of BERT (arXiv:1810.04805)."""
TOKENS_A_BATCH = 2048
GROUP = 64
MAX_PIECES = 512
WORDS_REMEMBERED = 200_000
SPARE = 2
"""Pieces asked for beyond the candidates: the word itself, and itself capitalised, are no candidates."""


@dataclass(frozen=True)
class _Ask:
    """One word to fill: where its masks are in a row, and where its candidates go."""

    sentence: int
    place: int
    start: int
    num_masks: int
    is_han: bool
    word: str


@dataclass(frozen=True)
class _Row:
    """The pieces of a sentence with some words masked; ``asks`` in the order of the row."""

    ids: tuple[int, ...]
    asks: tuple[_Ask, ...]


class WordFiller:
    """Proposes the likeliest words for places in sentences.

    Only whole words are proposed: pieces of two letters and more that do not continue another piece, or for
    Chinese words single characters. A word gets one mask, whatever its number of pieces.

    Differs: a Chinese word of n characters gets n masks. The first is filled with each of its K likeliest
    characters; in each of these K rows the others are filled from left to right with the likeliest one.
    Differs: with ``masks_per_row="auto"`` several words of a sentence are masked in one row, evenly apart,
    about 15 % of its pieces, as in the model's own training; 1 is the paper's one word at a time.

    Sentences longer than the model reads are cut between words; each part is asked on its own.

    Args:
        model: A masked language model; a copy of it is kept.
        tokenizer: Its fast tokenizer, with a WordPiece vocabulary.
        num_candidates: K, words proposed for each place at most.
        bf16: Compute in bf16; see :func:`tinybert.training.choose_precision`.
        masks_per_row: ``"auto"``, or the number of masks in one row, rounded to whole words.

    Raises:
        ModelError: The model has no masked-LM head, or its vocabulary cannot be read word by word.

    Source: TinyBERT, arXiv:1909.10351, algorithm 1.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        num_candidates: int,
        bf16: bool = False,
        masks_per_row: Literal["auto"] | int = "auto",
    ) -> None:
        _require_head(model)
        pieces = whole_word_pieces(tokenizer)
        words = {id_: piece for id_, piece in pieces.items() if not HAN_WORD.fullmatch(piece)}
        han = {id_: piece for id_, piece in pieces.items() if id_ not in words}
        self.tokenizer = tokenizer
        self.num_candidates = num_candidates
        self.masks_per_row = masks_per_row
        ids = [_filled_up(list(kind), at_least=num_candidates + SPARE) for kind in (words, han)]
        self._ids = np.array([*ids[0], *ids[1]])
        self._pieces = np.array([pieces.get(id_, "") for id_ in self._ids], dtype=object)
        self._num_word_rows = len(ids[0])
        self.model = _with_small_decoder(model, self._ids)
        if bf16:
            nn.Module.to(self.model, torch.bfloat16)
        self._max_pieces = (num_positions(model.config) or MAX_PIECES) - 2
        self._known: dict[str, tuple[int, ...]] = {}

    def can_fill(self, words: Sequence[str]) -> list[bool]:
        """Say which words are one piece of the vocabulary, or Chinese: those the paper asks the model for."""
        pieces = self._pieces_of(words)
        return [
            len(pieces[word]) == 1 and pieces[word][0] != self.tokenizer.unk_token_id
            if not HAN_WORD.fullmatch(word)
            else True
            for word in words
        ]

    @torch.inference_mode()
    def candidates(
        self, sentences: Sequence[Sequence[str]], places: Sequence[Sequence[int]]
    ) -> list[list[list[str]]]:
        """Return the likeliest words for each place, without the word that is there.

        Args:
            sentences: Each as its words and marks.
            places: For each sentence the indices of the words to ask for.

        Returns:
            For each sentence and each of its places up to K words, the likeliest first; none where the
            vocabulary has nothing to propose.
        """
        found: list[list[list[str]]] = [[[] for _ in asked] for asked in places]
        rows = list(self._rows(sentences, places))
        firsts = self._best(rows, step=0, count=self.num_candidates + SPARE)
        longer: list[_Row] = []
        for row, best in zip(rows, firsts, strict=True):
            for ask, pieces in zip(row.asks, best, strict=True):
                if ask.num_masks == 1:
                    found[ask.sentence][ask.place] = self._others([self._pieces[i] for i in pieces], ask.word)
            if any(ask.num_masks > 1 for ask in row.asks):
                longer += self._variants(row, best)
        for row in self._finish(longer):
            for ask in row.asks:
                ids = row.ids[ask.start : ask.start + ask.num_masks]
                word = "".join(self._piece_of_id(id_) for id_ in ids)
                found[ask.sentence][ask.place].append(word)
        for row in rows:
            for ask in row.asks:
                if ask.num_masks > 1:
                    words = found[ask.sentence][ask.place]
                    found[ask.sentence][ask.place] = self._others(words, ask.word)
        return found

    def _others(self, words: Sequence[str], word: str) -> list[str]:
        """Drop the word itself, and what is there twice but for its capitals."""
        different: dict[str, str] = {}
        for each in filter(None, words):
            different.setdefault(each.casefold(), each)
        different.pop(word.casefold(), None)
        return [*different.values()][: self.num_candidates]

    # rows

    def _pieces_of(self, words: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """Return the pieces of words; most come again and again, so they are remembered."""
        if len(self._known) > WORDS_REMEMBERED:
            self._known.clear()
        new = list({word for word in words if word not in self._known})
        if new:
            encoded = self.tokenizer(
                new, add_special_tokens=False, return_attention_mask=False, verbose=False
            )
            for word, ids in zip(new, cast(list[list[int]], encoded["input_ids"]), strict=True):
                self._known[word] = tuple(ids[: self._max_pieces])
        return self._known

    def _rows(self, sentences: Sequence[Sequence[str]], places: Sequence[Sequence[int]]) -> Iterator[_Row]:
        self._pieces_of([word for words in sentences for word in words])
        for number, (words, asked) in enumerate(zip(sentences, places, strict=True)):
            wanted = {index: place for place, index in enumerate(asked)}
            lengths = [self._length(word) for word in words]
            for first, last in self._parts(lengths):
                inside = [i for i in range(first, last) if i in wanted and lengths[i] <= self._max_pieces]
                share = self._share(sum(lengths[first:last]))
                num_masks = sum(self._num_masks(words[i]) for i in inside)
                num_rows = min(len(inside), -(-num_masks // share))
                for row in range(num_rows):
                    yield self._row(number, words, (first, last), set(inside[row::num_rows]), wanted)

    def _length(self, word: str) -> int:
        """Return how many pieces or masks a word takes at most."""
        return max(len(self._known[word]), self._num_masks(word))

    def _num_masks(self, word: str) -> int:
        return len(word) if HAN_WORD.fullmatch(word) else 1

    def _share(self, num_pieces: int) -> int:
        if isinstance(self.masks_per_row, int):
            return self.masks_per_row
        return max(1, round(MASKED_SHARE * (num_pieces + 2)))

    def _parts(self, lengths: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Cut a sentence between words where the model can read no further."""
        first = taken = 0
        for index, length in enumerate(lengths):
            if taken + length > self._max_pieces:
                yield first, index
                first, taken = index, 0
            taken += length
        yield first, len(lengths)

    def _row(
        self,
        number: int,
        words: Sequence[str],
        part: tuple[int, int],
        masked: set[int],
        wanted: dict[int, int],
    ) -> _Row:
        ids = [cast(int, self.tokenizer.cls_token_id)]
        asks: list[_Ask] = []
        for index in range(*part):
            word = words[index]
            if index not in masked:
                ids += self._known[word]
                continue
            is_han, num_masks = HAN_WORD.fullmatch(word) is not None, self._num_masks(word)
            asks.append(_Ask(number, wanted[index], len(ids), num_masks, is_han, word))
            ids += [cast(int, self.tokenizer.mask_token_id)] * num_masks
        ids = ids[: self._max_pieces + 1]
        return _Row((*ids, cast(int, self.tokenizer.sep_token_id)), tuple(asks))

    # Chinese words of several characters

    def _variants(self, row: _Row, best: Sequence[Sequence[int]]) -> list[_Row]:
        """Return K rows: in the k-th, each longer word begins with its k-th likeliest character."""
        longer = [(ask, pieces) for ask, pieces in zip(row.asks, best, strict=True) if ask.num_masks > 1]
        asks = tuple(ask for ask, _ in longer)
        variants: list[_Row] = []
        for k in range(self.num_candidates):
            firsts = [(ask.start, int(self._ids[pieces[k]])) for ask, pieces in longer]
            if all(id_ >= 0 for _, id_ in firsts):  # else the vocabulary has no K characters
                variants.append(replace(_filled(row, firsts), asks=asks))
        return variants

    def _finish(self, rows: list[_Row]) -> list[_Row]:
        """Fill what is left of longer words, one character a step."""
        for step in range(1, max((ask.num_masks for row in rows for ask in row.asks), default=0)):
            best = self._best(rows, step=step, count=1)
            rows = [
                _filled(
                    row,
                    [
                        (ask.start + step, int(self._ids[pieces[0]]))
                        for ask, pieces in zip(_asks_of(row, step), each, strict=True)
                    ],
                )
                for row, each in zip(rows, best, strict=True)
            ]
        return rows

    def _piece_of_id(self, id_: int) -> str:
        return cast(str, self.tokenizer.convert_ids_to_tokens(id_))

    # the model

    def _best(self, rows: Sequence[_Row], *, step: int, count: int) -> list[list[list[int]]]:
        """Return for each row and each ask that has a mask at this step the indices of its best pieces."""
        best: list[list[list[int]]] = [[] for _ in rows]
        for batch in batches_by_length([len(row.ids) for row in rows], max_tokens=TOKENS_A_BATCH):
            asks = [(number, ask) for number in batch for ask in _asks_of(rows[number], step)]
            if not asks:
                continue
            places = [
                (place, ask.start + step)
                for place, number in enumerate(batch)
                for ask in _asks_of(rows[number], step)
            ]
            scores_MV = self._scores([rows[number].ids for number in batch], places)
            is_han = np.array([ask.is_han for _, ask in asks])
            top = np.empty((len(asks), count), dtype=np.int64)
            ranges = ((False, 0, self._num_word_rows), (True, self._num_word_rows, len(self._ids)))
            for kind, start, end in ranges:
                chosen = np.flatnonzero(is_han == kind)
                if not len(chosen):
                    continue
                part_MV = scores_MV if len(chosen) == len(asks) else scores_MV[torch.from_numpy(chosen)]
                top[chosen] = best_columns(part_MV[:, start:end], count=count).cpu().numpy() + start
            for (number, _), indices in zip(asks, top.tolist(), strict=True):
                best[number].append(indices)
        return best

    def _scores(self, rows: Sequence[Sequence[int]], places: Sequence[tuple[int, int]]) -> Tensor:
        """Return (M, V) scores at these places (row, token)."""
        device = self.model.device
        longest = max(len(row) for row in rows)
        pad = cast(int, self.tokenizer.pad_token_id)
        ids_BL = torch.tensor([[*row, *[pad] * (longest - len(row))] for row in rows])
        lengths = torch.tensor([len(row) for row in rows])
        batch = {"input_ids": ids_BL}
        if int(lengths.min()) < longest:  # without a mask attention takes its fastest kernel
            batch["attention_mask"] = (torch.arange(longest) < lengths[:, None]).long()
        chosen_BL = torch.zeros(ids_BL.shape, dtype=torch.bool)
        chosen_BL[tuple(torch.tensor(places).T)] = True
        inputs = {name: value.to(device) for name, value in model_inputs(self.model, batch).items()}
        with only_at(self.model, chosen_BL.to(device)):
            return cast(Tensor, self.model(**inputs).logits)


def batches_by_length(lengths: Sequence[int], *, max_tokens: int) -> Iterator[list[int]]:
    """Put rows of like length together.

    Args:
        lengths: Of the rows, in tokens.
        max_tokens: Tokens of a padded batch at most; a longer row is a batch of its own.

    Example:
        >>> list(batches_by_length([5, 2, 2, 9], max_tokens=8))
        [[1, 2], [0], [3]]
    """
    batch: list[int] = []
    for index in np.argsort(lengths, kind="stable").tolist():
        if batch and (len(batch) + 1) * lengths[index] > max_tokens:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def best_columns(scores_MV: Tensor, *, count: int) -> Tensor:
    """Return the columns of the highest scores, the highest first: (M, count).

    The best ``count`` columns lie in the ``count`` groups with the best maxima, so only these are sorted.

    Args:
        scores_MV: V a multiple of 64.
        count: At most V.
    """
    num_columns = scores_MV.shape[1]
    num_groups = num_columns // GROUP
    if count >= num_groups:
        return scores_MV.topk(count, dim=1).indices
    groups_MGg = scores_MV.unflatten(1, (num_groups, GROUP))
    kept_MK = groups_MGg.amax(2).topk(count, dim=1).indices
    scores_MKg = groups_MGg.gather(1, kept_MK[:, :, None].expand(-1, -1, GROUP))
    places = scores_MKg.flatten(1).topk(count, dim=1).indices
    return kept_MK.gather(1, places // GROUP) * GROUP + places % GROUP


def _asks_of(row: _Row, step: int) -> list[_Ask]:
    return [ask for ask in row.asks if ask.num_masks > step]


def _filled(row: _Row, pieces: Sequence[tuple[int, int]]) -> _Row:
    ids = list(row.ids)
    for place, id_ in pieces:
        ids[place] = id_
    return replace(row, ids=tuple(ids))


def _filled_up(ids: list[int], *, at_least: int) -> list[int]:
    """Add empty rows (-1) so that the number is a multiple of the group and holds the top K."""
    num_columns = -(-max(len(ids), at_least) // GROUP) * GROUP
    return ids + [-1] * (num_columns - len(ids))


def _require_head(model: PreTrainedModel) -> None:
    if model.config.model_type in HEADS and type(model).__name__.endswith("ForMaskedLM"):
        return
    raise ModelError(
        "augment.model",
        f"{type(model).__name__} has no masked-LM head, so it cannot fill in words; train one: tinybert "
        "pretrain TEXT --model MODEL --out runs/filler (pretrain.train_only=head keeps its encoder)",
    )


def _with_small_decoder(model: PreTrainedModel, ids: np.ndarray) -> PreTrainedModel:
    """Return a copy that scores these pieces only; -1 scores minus infinity."""
    small = copy.deepcopy(model).eval().requires_grad_(False)
    decoder = cast(nn.Linear, small.get_output_embeddings())
    rows = torch.from_numpy(np.maximum(ids, 0))
    empty = torch.from_numpy(ids < 0)
    fewer = nn.Linear(decoder.in_features, len(ids), dtype=decoder.weight.dtype, device=decoder.weight.device)
    fewer.requires_grad_(False)
    fewer.weight.copy_(decoder.weight[rows])
    bias = cast("Tensor | None", decoder.bias)
    fewer.bias.copy_(torch.zeros(len(ids)) if bias is None else bias[rows])
    fewer.bias[empty] = -torch.inf
    small.set_output_embeddings(fewer)
    return small
