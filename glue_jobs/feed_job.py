"""Glue job of every landed feed: rows become Parquet as declared, and what can't be used goes to the rejects.

Arguments: see `program`.
"""

from glue_jobs.program import run_feed_job

if __name__ == "__main__":
    run_feed_job()
