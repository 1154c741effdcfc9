"""How files' names end."""


def ends_in(name: str, suffixes: tuple[str, ...]) -> bool:
    """Whether a file's name, or a key, ends in one of the suffixes, in small or capital letters."""
    # Not casefold: that makes an s of a long s, which nobody else does.
    return name.lower().endswith(suffixes)


def is_gzip(name: str) -> bool:
    """Whether a file's name, or a key, says that the file is compressed."""
    return ends_in(name, (".gz",))
