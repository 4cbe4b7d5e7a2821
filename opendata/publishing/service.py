"""The publishing chain as officers and reviewers use it.

Every act checks the person, then the state, then the content; long work is enqueued in the same transaction, and every
act leaves its ledger entry there too. Each stage stands in a file of its own; this is their one door.
"""

from opendata.publishing.editions import build_edition, editions_of
from opendata.publishing.intakes import (
    acknowledge_bad_rows,
    check_can_upload,
    confirm_level,
    create_intake,
    erase_intake,
    intakes_of,
    latest_intake,
)
from opendata.publishing.policies import latest_policy, save_policy
from opendata.publishing.review import approve, can_review, reject, return_, review_queue, submit, withdraw

__all__ = [
    "acknowledge_bad_rows",
    "approve",
    "build_edition",
    "can_review",
    "check_can_upload",
    "confirm_level",
    "create_intake",
    "editions_of",
    "erase_intake",
    "intakes_of",
    "latest_intake",
    "latest_policy",
    "reject",
    "return_",
    "review_queue",
    "save_policy",
    "submit",
    "withdraw",
]
