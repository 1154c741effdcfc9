"""Which of a run's units make its job fail, and why: no file keeps another one from being done."""
