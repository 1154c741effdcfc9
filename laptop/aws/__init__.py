"""AWS on a laptop: what its emulator lacks."""
