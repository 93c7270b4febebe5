"""The server: a model's towers and indexes behind HTTP, every answer equal to what was evaluated.

`contracts` says what the parts agree on. A request goes `app` -> a route of `routes` -> a served model or a search of
the `State` that was current when it came.
"""
