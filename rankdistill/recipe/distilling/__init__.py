"""From files to a bundle with a verdict: what is asked, the stages, what lies where, and what is told."""
