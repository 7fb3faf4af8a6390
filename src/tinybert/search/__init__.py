"""Loops over runs: the smallest student within a budget."""
