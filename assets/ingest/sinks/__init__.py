"""Where a feed's rows go: each sink writes and measures, and `settle` decides."""
