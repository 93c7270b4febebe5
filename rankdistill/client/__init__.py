"""Asking a running server from Python."""
