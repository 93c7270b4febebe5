"""What a verdict rests on, one file a check; `rankdistill.evaluation.verdict.registry` names them."""
