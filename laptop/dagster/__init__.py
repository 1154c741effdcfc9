"""Dagster on a laptop."""
