"""Whether to ship a student, and why: what each check found, one file a check."""
