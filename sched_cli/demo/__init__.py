"""`make demo`: a workflow survives kill -9 of its worker and of its engine."""
