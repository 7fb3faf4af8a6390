"""TinyBERT students: train, distil, evaluate and predict."""
