"""How landed files are cut into records: by the jobs, and by who counts rows before they run.

Standard library only.
"""
