"""Asking a running server from Python.

`operations` says what is sent and how answers are read, without sending; `Client` and `AsyncClient` send it, with
the retries of `retrying`; what the server refuses comes as the errors of `failures`.
"""
