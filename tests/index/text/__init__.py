"""Tests of `rankdistill.index.text`."""
