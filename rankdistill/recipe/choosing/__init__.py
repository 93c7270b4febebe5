"""Choosing a recipe that fits a collection, a teacher and a budget, with the reason for each value."""
