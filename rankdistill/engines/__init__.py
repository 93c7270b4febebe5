"""Search engines that users run: writing vectors into them, and searching what they hold."""
