"""Practice data (仿真数据): a table of the raw table's names and types to debug on; its results mean nothing.

Source: PRIVACY.md 19. Made only from what is published: the masking policy (code lists, practice hints, parameters of
its techniques), the column types, standards' code lists and the marginal shares of figures that anybody may download.
No raw row, no statistic of the raw table and no rejection of rows that happen to equal raw ones: nothing here takes a
raw table. Tables of one seed (a workspace) speak about one practice population, so that they join.

Practice hints of an attribute: ``values: [...]``, ``minimum``/``maximum`` (numbers or ISO dates), ``type`` (a
detection type such as PERSON), ``pattern`` (``MZ########``: ``#`` is a digit), ``format`` (a date in a text column, as
``%Y-%m``), ``nulls`` (share in [0, 1)).
"""

from sandbox.workspaces.practice.maker import NOTE, make_practice, make_practice_set
from sandbox.workspaces.practice.marginals import Marginal, Marginals, shares, shares_of_cube, shares_of_edition
from sandbox.workspaces.practice.types import arrow_type

__all__ = [
    "NOTE",
    "Marginal",
    "Marginals",
    "arrow_type",
    "make_practice",
    "make_practice_set",
    "shares",
    "shares_of_cube",
    "shares_of_edition",
]
