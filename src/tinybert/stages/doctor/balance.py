"""Whether some labels are too rare to be learnt."""

from __future__ import annotations

from collections import Counter

from tinybert.stages.doctor.context import Context
from tinybert.stages.doctor.finding import Finding

RARE_LABEL_ROWS = 5
IMBALANCE = 10.0


def check_balance(context: Context) -> list[Finding]:
    """Compare the most frequent label, or type of entity, with the rarest; count questions with answers."""
    data = context.data
    kind, names = data.labels.kind, data.labels.names
    if kind == "span":
        found = Counter(bool(label) for label in data.splits["train"]["label"] if label is not None)
        return [
            Finding(
                "ok", "balance", f"{found[True]:,} train questions have an answer, {found[False]:,} have none"
            )
        ]
    if kind not in ("single", "tags"):
        return [Finding("ok", "balance", "not a question for this task")]
    given = (label for label in data.splits["train"]["label"] if label is not None)
    if kind == "single":
        counts, unit = Counter(names[label] for label in given), "train rows"
    else:
        counts = Counter(names[tag][2:] for tags in given for tag in tags if tag % 2)
        unit = "entities in train"
    if not counts:
        return [Finding("ok", "balance", "no train row has a label: the teacher labels them")]
    (top, most), (low, least) = counts.most_common()[0], counts.most_common()[-1]
    text = f"{top!r} has {most:,} {unit}, {low!r} has {least:,}"
    if least < RARE_LABEL_ROWS or most / least > IMBALANCE:
        return [Finding("warn", "balance", f"{text}; judge by macro_f1 too, or label more of the rare ones")]
    return [Finding("ok", "balance", text)]
