"""Tests of `rankdistill.indexing.text`."""
