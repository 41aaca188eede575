"""A worker that follows the edits of its code.

The *supervisor* watches the app's files and runs the worker in a *child*
process. After an edit it starts a second child and waits until that one is
connected to the engine and takes tasks; only then is the first asked to finish
what it has in hand and go. So there is no moment without a worker, and code
that cannot be imported never replaces code that can.

Before that a *checker* tries the new code on the histories of open workflows.
What would break stays with the process that has the old code.
"""
