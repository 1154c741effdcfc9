"""What else people would use for the same task, written as a good data engineer would write it."""
