"""`python -m rankdistill`: the command `rankdistill`, where it is not on the path."""

from rankdistill.cli.main import main

if __name__ == "__main__":
    main()
