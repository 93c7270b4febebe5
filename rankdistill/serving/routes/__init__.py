"""What the server answers; one module a family of routes, each with its `ROUTES`."""
