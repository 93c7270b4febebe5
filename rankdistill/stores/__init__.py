"""The score store: raw teacher scores of (query, document) pairs, in sharded Parquet, keyed by content."""
