"""Spark programs that run on AWS Glue and, unchanged, on a laptop."""
