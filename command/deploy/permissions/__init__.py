"""Who calls what of AWS: the table by which the templates' policies are proved to be enough, and no more."""
