"""The checks before a publication, a file each."""
