"""The parts of `rankdistill.teachers.teach`: settings, training groups, the trainer, the evaluation."""
