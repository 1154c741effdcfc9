"""Spark on a laptop."""
