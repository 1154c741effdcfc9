"""Whether a landed file can be one of its feed's."""
