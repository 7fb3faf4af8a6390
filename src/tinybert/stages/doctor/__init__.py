"""The doctor: what fails silently elsewhere is checked before training, and reported with its fix."""
