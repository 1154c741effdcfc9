"""How landed files are called. Standard library only: it travels to AWS Glue."""
