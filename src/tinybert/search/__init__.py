"""Loops over runs: the smallest student within a budget."""

from tinybert.search.budget import Budget, Candidate
from tinybert.search.smallest import distill_within

__all__ = ["Budget", "Candidate", "distill_within"]
