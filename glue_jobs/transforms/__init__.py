"""What a feed does with its rows that its declaration can't say: a module each, with `transform`."""
