"""The tables about money and tokens: who may spend what, and every single charge."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Index, Integer, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from mainstay.storage.agent_tables import BLANK, ZERO
from mainstay.storage.columns import Json, UtcDateTime


class UsageColumns(SQLModel):
    """The columns of :class:`mainstay.schemas.conversation.Usage`, whole numbers all of them."""

    input_tokens: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=ZERO)
    output_tokens: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=ZERO)
    cached_tokens: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=ZERO)
    model_calls: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=ZERO)
    tool_calls: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=ZERO)
    turns: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=ZERO)
    picodollars: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=ZERO)
    unpriced_calls: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=ZERO)


class AccountRecord(UsageColumns, table=True):
    """An account; its counts are always the sums over its charges.

    ``limits`` is NULL while only a charge has opened it.
    """

    __tablename__: ClassVar[str] = "accounts"

    id: str = Field(primary_key=True, sa_type=Text)
    title: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    limits: dict[str, Any] | None = Field(default=None, sa_type=Json)  # Any: a BudgetSpec
    opened_at: datetime = Field(sa_type=UtcDateTime)
    first_charge_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ChargeRecord(UsageColumns, table=True):
    """Something that was spent, once under its key. ``number`` is the order of arrival."""

    __tablename__: ClassVar[str] = "charges"
    __table_args__ = (UniqueConstraint("key", name="uq_charges_key"),)

    number: int | None = Field(
        default=None, primary_key=True, sa_type=BigInteger().with_variant(Integer, "sqlite")
    )
    key: str = Field(sa_type=Text)
    spender: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    model: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    at: datetime = Field(sa_type=UtcDateTime)


class ChargedAccountRecord(SQLModel, table=True):
    """Which accounts a charge went to; ``place`` 0 is the nearest."""

    __tablename__: ClassVar[str] = "charged_accounts"
    __table_args__ = (Index("idx_charged_accounts_number", "number", "place"),)

    account: str = Field(
        primary_key=True, foreign_key="accounts.id", ondelete="CASCADE", sa_type=Text
    )
    number: int = Field(
        primary_key=True,
        foreign_key="charges.number",
        ondelete="CASCADE",
        sa_type=BigInteger().with_variant(Integer, "sqlite"),
    )
    place: int
