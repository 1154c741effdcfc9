"""The `airline` command."""
