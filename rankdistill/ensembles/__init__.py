"""Several teachers of one store as one: calibration per query and combination, at read time."""
