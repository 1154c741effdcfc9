"""The platform's way into an account or a laptop's gateway."""
