"""What happened, kept: one DuckDB file with one writer.

In: batches of bars, decisions and what the broker did.  Out: the same, by queries and as files.
Refuses a second writer, half a batch, and to overwrite a damaged file.
"""
