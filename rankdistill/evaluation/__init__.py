"""Evaluation: runs, measures, significance, and the reports made of them."""
