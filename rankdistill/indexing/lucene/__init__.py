"""Lucene indexes through the Anserini that Pyserini brings: BM25, impacts of sparse vectors, HNSW graphs of dense ones.

Documents are indexed by a Java process of their own and searched by a Java machine inside this process. The folder
`lucene` of an index is a plain Lucene index with the documents' own ids, which Pyserini opens too. Two builds differ in
their bytes (Lucene writes random segment ids), not in what they find.
"""
