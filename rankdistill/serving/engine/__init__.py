"""The engine: texts to rows (`*_tower`), rows to batches (`queue`, `pace`), batches to vectors; vectors kept (`cache`).

A tower makes rows of texts on the event loop, or beside it where they are many; a queue has one thread that takes a
batch from what waits whenever the back end is free, and hands the outputs back to the loop that asked.
"""
