"""What exists: one module of software-defined assets per feed."""
