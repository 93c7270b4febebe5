"""Retrieval tasks of mteb, evaluated on data that lies here, into the files that mteb's leaderboard is made of."""
