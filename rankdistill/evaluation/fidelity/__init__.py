"""How well a student copies its teacher on queries that it was not trained on, and which stage its gap comes from."""
