"""Who runs the work units of scoring and encoding: this process, or workers of a cluster."""
