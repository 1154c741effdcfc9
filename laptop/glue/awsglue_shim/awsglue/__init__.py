"""The few names of AWS Glue's own library that a PySpark script needs, for running it on a laptop."""
