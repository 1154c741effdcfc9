"""AWS Glue on a laptop: crawlers and jobs."""
