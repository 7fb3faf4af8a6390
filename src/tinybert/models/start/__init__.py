"""A student's first weights: at random, a slice of its teacher, or its teacher projected."""
