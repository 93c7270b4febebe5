"""Files as users have them, made into a BEIR folder: text files, tables, logs of queries and clicks."""

from rankdistill.data.converting.build import convert, judged_without_split
from rankdistill.data.converting.request import Request

__all__ = ["Request", "convert", "judged_without_split"]
