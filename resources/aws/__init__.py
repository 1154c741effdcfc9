"""Clients of AWS, and who calls."""
