"""From a recipe to a plan: every "auto" decided and every cross-check made, before any weights load."""
