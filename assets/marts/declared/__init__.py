"""The marts, each declared once in a module of its own."""
