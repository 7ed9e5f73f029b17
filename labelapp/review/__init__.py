"""What experts decided: the queue they work from, and the ledger of their decisions.

Imports catalogue only.
"""
