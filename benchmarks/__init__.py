"""How fast the platform is, measured beside its peers on the same data in the same run: `make bench`."""
