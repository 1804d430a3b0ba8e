"""The journal: which moves were about to be sent, and what became of them. On disk and in memory.

The only importer of SQLAlchemy. Both stores implement `ports.Store`; they decide nothing about moves.
"""
