"""The checks, one a file; `rankdistill.gate.registry` lists them."""
