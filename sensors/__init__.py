"""When something happens: landing events and run failures."""
