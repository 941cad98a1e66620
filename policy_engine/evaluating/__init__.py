"""Meaning + history -> evaluation. Pure: no clock, no files, no randomness; policies built in code run the same."""
