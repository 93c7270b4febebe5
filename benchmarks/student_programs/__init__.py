"""Students as other libraries make them: programs that `benchmarks.student_peers` runs, each with that library.

Each takes a JSON file: `teacher` and `start` (folders of models), `texts` (Parquet: text, vector), `rows` (Parquet of
sentence-transformers' form), `out`, `steps`, `batch_size`, `rate`, `seed`, `loss`. It writes a model that plain
sentence-transformers loads into `out`, and the seconds that making it took into `out`/seconds.json.
"""
