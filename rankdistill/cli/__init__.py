"""The command line: one file a verb, registered in `rankdistill.cli.main`."""
