"""Brings a journal of an earlier schema version to the present one, step by step, in one transaction.

Each file in `versions` is one step, named by the version that it leads to; a released one is never changed. Run
by Alembic, which is imported here and nowhere else: a file of the present version is opened without it.
"""

from pathlib import Path

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def upgrade(connection: Connection, version: int) -> int:
    """Bring the tables from a version to the newest one and return that.

    The caller owns the transaction: where a step fails, nothing has changed.
    """
    context = MigrationContext.configure(connection)
    scripts = ScriptDirectory(str(Path(__file__).parent))
    for script in reversed(list(scripts.walk_revisions())):
        if int(script.revision) > version:
            with Operations.context(context):
                script.module.upgrade()
            version = int(script.revision)
    return version
