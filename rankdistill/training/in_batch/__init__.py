"""Margins of the whole batch: a teacher of the pairs that a batch makes by chance, and what is learnt from it."""
