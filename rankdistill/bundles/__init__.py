"""Bundles: a small query tower, the document tower that it is aligned with, and the space that they share."""

from rankdistill.bundles.layout import Bundle, is_bundle
from rankdistill.bundles.opening import open_document_encoder, open_query_encoder

__all__ = ["Bundle", "is_bundle", "open_document_encoder", "open_query_encoder"]
