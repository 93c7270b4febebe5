"""Publishing a student: what it comes from, whether that may be published, and the files of hub and leaderboard."""
