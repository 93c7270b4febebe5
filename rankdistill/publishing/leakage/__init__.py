"""Whether texts that a model was trained on are those that it is tested on."""
