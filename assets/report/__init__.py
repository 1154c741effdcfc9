"""The delay report of a day."""
