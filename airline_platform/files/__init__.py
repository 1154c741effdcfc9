"""How landed files are written. Standard library only: it travels to AWS Glue."""
