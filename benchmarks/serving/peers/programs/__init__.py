"""Programs that serve with a peer's library: each is run as a file by the Python that has it, without this package."""
