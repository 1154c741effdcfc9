"""What a deployment into an account would fail over, asked before anything is made."""
