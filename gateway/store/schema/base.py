"""What all tables share: the metadata with its names, and columns of short text."""

from sqlalchemy import Column, MetaData, String

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def text_column(name: str, length: int = 255) -> Column[str]:
    """A column of text that is "" where nothing is known."""
    return Column(name, String(length), nullable=False, server_default="")
