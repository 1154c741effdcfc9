"""Synthetic landing files."""
