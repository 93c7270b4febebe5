"""Programs that serve with a peer's library: each is run as a file, by the Python that has it, and imports none of ours."""
