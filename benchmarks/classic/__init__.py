"""The pipeline this platform replaces, as its kind is built: a state machine, a crawler, a Glue script."""
