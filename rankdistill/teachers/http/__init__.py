"""Teachers behind an HTTP API: rerankers and language models that somebody else runs."""
