"""Files as users have them, made into a BEIR folder: text files, tables, logs of queries and clicks."""

from rankdistill.data.converting.build import Request, convert

__all__ = ["Request", "convert"]
