"""Students: sentence-transformers models that load without any code of ours."""
