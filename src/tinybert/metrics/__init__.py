"""Predictions and gold in, numbers out.

Rows without a gold label (−100, or NaN where labels are numbers) are skipped. scikit-learn, scipy, sacrebleu
and rouge-score are imported inside the calls: asking for a prediction must not wait for them.
"""

from __future__ import annotations

from tinybert.metrics.classification import classification_metrics, confusion
from tinybert.metrics.generation import intervals, signature, text_scores
from tinybert.metrics.multilabel import multilabel_metrics
from tinybert.metrics.regression import regression_metrics

__all__ = [
    "classification_metrics",
    "confusion",
    "intervals",
    "multilabel_metrics",
    "regression_metrics",
    "signature",
    "text_scores",
]
