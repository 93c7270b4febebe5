"""Searching the settings of a recipe: what may be chosen, what a trial is, the study on disk, what mattered."""
