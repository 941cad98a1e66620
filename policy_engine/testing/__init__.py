"""Tests that stand beside policies: short histories, checkpoints, expectations."""
