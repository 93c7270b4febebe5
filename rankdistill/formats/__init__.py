"""Reading and writing the files in which others keep teacher scores."""
