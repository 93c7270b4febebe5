"""How each kind of model is loaded to be served; `rankdistill.serving.models` lists them."""
