"""Cuts held-out splits from rows that have none, or a validation split from train."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tinybert.data.checks import Split, labelled_rows
from tinybert.data.columns import Groups
from tinybert.data.findings import Findings, name_some
from tinybert.data.label_cells import find_separator
from tinybert.data.labels import LabelScheme
from tinybert.data.row_format import RowFormat
from tinybert.data.splitting import keep_rare_labels_in_train, split_by_hash, split_groups, uneven

WHOLE = ""  # the split of a table that is not split yet


@dataclass(frozen=True)
class HeldOut:
    """How splits are cut.

    Attributes:
        need: Splits that must be there.
        format: What a row is.
        findings: Where warnings go.
        groups: By what rows are grouped; None where each text is alone.
    """

    need: Sequence[str]
    format: RowFormat
    findings: Findings
    groups: Groups | None

    def carve(self, splits: list[Split]) -> list[Split]:
        """Cut held-out splits from what is whole, or validation from train."""
        by_name = {split.name: split for split in splits}
        whole = by_name.get(WHOLE)
        if whole is not None and "train" not in self.need and len(self.need) == 1:
            return [replace(whole, name=self.need[0])]
        if whole is not None:
            return self._cut(whole, ["test", "validation"])
        if "train" in by_name and "validation" not in by_name:
            rest = [split for split in splits if split.name != "train"]
            return [*self._cut(by_name["train"], ["validation"]), *rest]
        return splits

    def _cut(self, whole: Split, names: Sequence[str]) -> list[Split]:
        """Hold labelled rows out by their hash; unlabelled ones can only be trained on."""
        is_labelled, keys = labelled_rows(whole), whole.part.keys
        labelled, unlabelled = np.flatnonzero(is_labelled), np.flatnonzero(~is_labelled)
        if not len(labelled):
            return [replace(whole, name="train")]
        split = split_by_hash if self.groups is None else split_groups
        parts = {name: labelled[rows] for name, rows in split(keys[labelled], names).items()}
        parts = self._with_rare_labels_in_train(parts, whole)
        if self.groups is not None:
            self._warn_if_uneven(parts, self.groups.noun)
            unlabelled = self._outside_held_out(unlabelled, parts, keys, self.groups.noun)
        parts["train"] = np.union1d(parts["train"], unlabelled)
        order = ["train", *sorted(names, reverse=True)]
        return [replace(whole, name=name, rows=parts[name]) for name in order]

    def _with_rare_labels_in_train(
        self, parts: dict[str, NDArray[np.int64]], whole: Split
    ) -> dict[str, NDArray[np.int64]]:
        if not whole.raw_labels or not len(parts["train"]):
            return parts
        written = LabelScheme(separator=find_separator(whole.raw_labels))
        names_of_code = [self.format.names_in(raw, written) for raw in whole.raw_labels]
        codes = whole.codes.astype(np.int64)
        parts, moved = keep_rare_labels_in_train(parts, whole.part.keys, codes, names_of_code)
        if moved:
            named = [f"{name!r} ({count})" for name, count in sorted(moved.items())]
            self.findings.warn(
                f"held-out rows of rare labels went to train, which had none: {name_some(named)}",
                kind="rare_labels",
            )
        return parts

    def _warn_if_uneven(self, parts: dict[str, NDArray[np.int64]], noun: str) -> None:
        sizes = {name: len(rows) for name, rows in parts.items()}
        if uneven(sizes) and all(sizes.values()):
            shares = ", ".join(f"{name} has {size:,}" for name, size in sizes.items())
            self.findings.warn(
                f"few or unequal {noun}, each in one split: of {sum(sizes.values()):,} labelled rows {shares}"
            )

    def _outside_held_out(
        self,
        unlabelled: NDArray[np.int64],
        parts: dict[str, NDArray[np.int64]],
        keys: NDArray[np.uint64],
        noun: str,
    ) -> NDArray[np.int64]:
        """Leave out the unlabelled rows that belong to held-out ones."""
        held_out = np.concatenate([rows for name, rows in parts.items() if name != "train"])
        belongs = np.isin(keys[unlabelled], keys[held_out])
        if belongs.any():
            self.findings.warn(
                f"{int(belongs.sum()):,} unlabelled rows are not used: they belong to {noun} of held-out rows"
            )
        return unlabelled[~belongs]
