"""How the outside is reached: S3, Glue, the warehouse, SNS."""
