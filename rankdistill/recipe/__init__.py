"""A whole experiment as one typed YAML file: run what is stale, resume, and show what is done."""
