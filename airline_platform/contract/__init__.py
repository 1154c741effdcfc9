"""What a feed's declaration can say. Standard library only: it travels to AWS Glue."""
