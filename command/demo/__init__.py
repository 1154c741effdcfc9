"""The demonstration, and its real data."""
