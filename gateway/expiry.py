"""What ends by itself: media whose time has come."""

from uuid import UUID

from gateway.store import jobs, media
from gateway.store.database import Database, Tx
from gateway.store.jobs import Job

EXPIRE = media.EXPIRE


class Expiry:
    """The job ``expire_media``; its subject is the file. To everybody else the file is gone already."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def media(self, job: Job) -> None:
        """Delete one file, unless it lives longer by now."""

        def unit(tx: Tx) -> None:
            jobs.finish(tx, job)
            file = media.get(tx, UUID(job.subject))
            if file is not None and file.expires_at <= job.due:
                media.remove(tx, file)

        await self._db.write(unit)
