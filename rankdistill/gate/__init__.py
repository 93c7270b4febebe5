"""The gate: are a teacher's stored scores fit to train on? One file a check, collected in `registry.CHECKS`."""
