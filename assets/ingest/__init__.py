"""From what landed to settled rows, in the order of the lineage."""
