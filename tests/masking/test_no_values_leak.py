"""
No error, log, print or repr holds a cell value or a key: canaries over every technique, inside its format and out.

Every registered technique meets columns of every Arrow type that hold marked values, as the column it masks, as the
columns it reads beside it, and among values that it accepts. Whatever can be heard of it is searched: the exception
with its whole chain (also the suppressed part, which debuggers and error trackers read), logs, prints, reprs.
"""

import base64
import contextlib
import datetime as dt
import decimal
import io
import itertools
import json
import logging
import pickle
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pytest

import masking
from masking.engines.plan import compile  # noqa: A004
from masking.errors import InvalidValue, MaskingError, UnsupportedColumn
from masking.keys import FileKeys, KeyUse, MappingKeys, ThrowawayKeys
from masking.policy.model import AttributeRule, MaskingPolicy
from masking.taxonomy import Role
from masking.techniques import Example, Technique
from masking.techniques.base import WholeColumn
from masking.techniques.conditions import condition
from masking.techniques.records import RecordSuppression, Sampling
from tests.masking.every_technique import KEYS, Subject, label, subjects

DAY = dt.date(1987, 3, 14)
MOMENT = dt.datetime(1987, 3, 14, 15, 9, 26, tzinfo=dt.UTC)
MARKS = ("Canary", "王小明", "4403071987", "1987", "918273", "0314")
"""Every canary below holds one of these, and nothing else in the tests does."""
COLUMNS = [
    pa.array(["Canary-王小明", None]),
    pa.array(["Canary-王小明", None], pa.large_string()),
    pa.array(["Canary-王小明", None]).cast(pa.string_view()),
    pa.array(["440307198703140015", "44030719870314001X", "1987-03-14", "1987/3/14 15:09", "1987-02-30"]),
    pa.array(["Canary@1987.cn", "+86 139 1987 0314", "https://1987.cn/Canary", "19.87.03.14", "1987::314", "918273"]),
    pa.array(["Canary\n1987", "Canary\x00", "Canary\x1e\x1f", "Ｃanary１９８７ Canary", "1987" * 5000, ""]),
    pa.array(["Canary-王小明", None]).dictionary_encode(),
    pa.array([b"Canary", b"\xff\xfe1987"]),
    pa.array([["Canary"]]),
    pa.array([{"a": "Canary"}]),
    pa.array([918273645, -918273645, None]),
    pa.array([2**64 - 918273], pa.uint64()),
    pa.array([9182736451, 2**63 - 1, -(2**63), 440307198703140015]),
    pa.array([918273.645, float("nan"), float("inf"), -918273e300]),
    pa.array([decimal.Decimal("918273.645"), None]),
    pa.array([decimal.Decimal(f"{'918273' * 6}")]),
    pa.array([DAY, None, dt.date.min, dt.date.max]),
    pa.array([DAY], pa.date64()),
    pa.array([MOMENT, None]),
    pa.array([MOMENT.replace(tzinfo=None)], pa.timestamp("ns")),
    pa.array([MOMENT.time()]),
    pa.array([dt.timedelta(seconds=918273)]),
    pa.array([True, None]),
    pa.array([None, None]),
]
EVERY = [pytest.param(subject, id=label(subject)) for subject in subjects()]
SECRET = bytes(range(200, 232))
HIDDEN = MappingKeys({"one": SECRET})


@pytest.mark.parametrize("subject", EVERY)
def test_canary_columns(subject):
    """As the masked column, with columns beside it that are canaries too."""
    for column, beside in itertools.product(COLUMNS, (None, *COLUMNS[:1], *COLUMNS[10:11], *COLUMNS[16:17])):
        if beside is not None and not subject.others:
            continue
        with heard() as everything:
            table = {"value": column, "record": pa.array(range(len(column)))}
            for name in subject.others:
                table[name] = column if beside is None else beside.take(pa.array([0] * len(column)))
            everything += meets(subject, table)
        check_silent(everything)


@pytest.mark.parametrize("subject", EVERY)
def test_canaries_among_values_that_are_accepted(subject):
    """The error tells neither the value that is wrong nor its neighbours; what was fitted shows nothing either."""
    rows = subject.many_rows()[:30]
    table = subject.table(rows)
    plain = {name: table.column(name) for name in table.column_names}
    own = [str(row[0]) for row in rows if row[0] is not None and len(str(row[0])) > 4]
    in_policy = repr(subject.example.parameters) + label(subject)
    marks = [value for value in own if value not in in_policy]
    with heard() as everything:
        everything += meets(subject, plain)
    check_silent(everything, (*MARKS, *marks))
    for column in COLUMNS:
        if column.type != table.column("value").type:
            continue
        mixed = pa.concat_arrays([table.column("value").combine_chunks(), column])
        more = subject.table(rows + rows[: len(column)] if len(column) <= len(rows) else rows)
        if len(more) != len(mixed):
            continue
        with heard() as everything:
            everything += meets(
                subject, {name: more.column(name) for name in more.column_names if name != "value"} | {"value": mixed}
            )
        check_silent(everything, (*MARKS, *marks))


@pytest.mark.parametrize("subject", EVERY)
def test_canaries_through_plans_and_runs(subject):
    """
    Compiled from a policy, plans and what they give show neither values nor keys. Errors of libraries that come
    through (a type that they cannot count) are searched like ours.
    """
    masked = 0
    for column in COLUMNS:
        table = pa.table(
            {"value": column, "record": pa.array(range(len(column)))} | dict.fromkeys(subject.others, column)
        )
        with heard() as everything, refusals(everything, Exception):
            policy = policy_of(subject)
            plan = compile(policy, table.schema, HIDDEN)
            everything += [repr(plan), repr(plan.steps), repr(plan.records), repr(policy)]
            plan = plan.fit(table.select(plan.unfitted)) if plan.unfitted else plan
            everything += [repr(plan), repr(plan.steps)]
            for batch in table.to_batches():
                everything.append(repr(plan.run(batch)))
            masked += 1
        with heard() as also, refusals(also, Exception):
            also.append(repr(masking.apply(policy, table, HIDDEN)))
        check_silent([*everything, *also])
        check_keyless([*everything, *also], SECRET)
    assert masked


@pytest.mark.parametrize("subject", [each for each in EVERY if each.values[0].keyed])
def test_key_bytes(subject):
    made = subject.build()
    named = KEYS.get("one")
    texts = [repr(made), str(made), repr([made]), f"{made!r:>9}"]
    check_keyless(texts, named, made.secret)
    check_keyless([pickle.dumps(made).hex(), repr(pickle.dumps(made))], named)  # only what was derived is sent away


def test_keys_show_nothing(tmp_path):
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"version": 1, "keys": {"one": base64.b64encode(SECRET).decode()}}))
    throwaway = ThrowawayKeys()
    for keys in (HIDDEN, FileKeys(file), throwaway):
        secret = keys.get("one")
        with heard() as everything, refusals(everything, TypeError):
            everything += [repr(keys), str(keys), repr([keys]), repr(KeyUse("one"))]
            pickle.dumps(keys)
        with heard() as also, refusals(also):
            keys.get("gone")
        check_keyless([*everything, *also], secret)
    for spoiled in (SECRET.hex(), base64.b64encode(SECRET).decode()[:-3], json.dumps({"keys": SECRET.hex()}), "[" * 9):
        file.write_text(spoiled)
        with heard() as everything, refusals(everything):
            FileKeys(file)
        check_keyless(everything, SECRET)
    for wrong in (SECRET[:8], SECRET.hex(), None):
        with heard() as everything, refusals(everything):
            MappingKeys({"one": wrong})
        check_keyless(everything, SECRET[:8])


@pytest.mark.parametrize(
    "words",
    [
        {"equals": 5},
        {"equals": "a"},
        {"at_least": 5},
        {"below": DAY.replace(year=2020)},
        {"in": ["a", "b"]},
        {"not_in": [1, 2]},
        {"matches": "a.*"},
        {"is_null": True},
    ],
)
def test_conditions_and_samples(words):
    suppress = RecordSuppression(condition({"column": "a", **words}))
    sample = Sampling(0.5, ("a",), secret=SECRET[:16])
    for column, each in itertools.product(COLUMNS, (suppress, sample)):
        with heard() as everything, refusals(everything):
            everything.append(repr(each))
            each.stays({"a": column})
        check_silent(everything)
        check_keyless(everything, SECRET[:16])


# What is searched, and how.


def meets(subject, table) -> list[str]:
    """Build, fit and apply; return what the objects show of themselves. Other errors than the library's pass on."""
    texts: list[str] = []
    with refusals(texts):
        made = subject.build()
        texts.append(repr(made))
        if isinstance(made, WholeColumn):
            made = made.fit(table["value"], table)
        texts += [repr(made), str(made)]
        made.apply_counted(table["value"], table)
        made.derived(table["value"])
    return texts


@contextlib.contextmanager
def heard() -> Iterator[list[str]]:
    """A list that gets what is printed, logged and warned of meanwhile."""
    texts: list[str] = []
    printed, logged = io.StringIO(), io.StringIO()
    handler = logging.StreamHandler(logged)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(1)
    try:
        with (
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
            warnings.catch_warnings(record=True, action="always") as warned,
        ):
            yield texts
            texts += [str(each.message) for each in warned]
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        texts += [printed.getvalue(), logged.getvalue()]


@contextlib.contextmanager
def refusals(texts: list[str], *more: type[Exception]) -> Iterator[None]:
    """Everything that an error says goes to ``texts``: words, arguments, fields, and those of its whole chain."""
    try:
        yield
    except (MaskingError, *more) as error:
        texts.append("".join(traceback.format_exception(error)))
        waiting, seen = [error], set()
        while waiting:
            each = waiting.pop()
            if each is None or id(each) in seen:
                continue
            seen.add(id(each))
            texts += [
                str(each),
                repr(each),
                repr(each.args),
                repr(getattr(each, "__dict__", {})),
                repr(getattr(each, "__notes__", [])),
            ]
            waiting += [each.__cause__, each.__context__]


def check_silent(texts, marks=MARKS):
    for text in texts:
        told = [mark for mark in marks if mark in text]
        assert not told, f"tells {told}: {text[-600:]}"


def check_keyless(texts, *secrets: bytes):
    for text, secret in itertools.product(texts, secrets):
        for part in (secret[:16], secret[-16:]):
            spelled = (
                part.hex(),
                part.hex().upper(),
                repr(part)[2:-1],
                str(list(part))[1:-1],
                base64.b64encode(part).decode()[:20],
            )
            assert not any(each in text for each in spelled)


def policy_of(subject: Subject) -> MaskingPolicy:
    rule = AttributeRule(
        "value",
        Role.QUASI_IDENTIFIER,
        subject.technique.name,
        dict(subject.example.parameters),
        key="one" if subject.keyed else None,
    )
    rules = {"value": rule, "record": AttributeRule("record", Role.INSENSITIVE, "keep")}
    rules |= {name: AttributeRule(name, Role.DIRECT_IDENTIFIER, "suppression.drop") for name in subject.others}
    return MaskingPolicy("canaries", rules, record=("record",), test_data=True)


# A technique that tells is caught, whichever way it does.


@dataclass(frozen=True)
class Leaking(Technique):
    """Base of techniques that tell a value in one way each; none is registered."""

    name = "leaking"
    spec = (Example({}, ("a",), ("a",), "leaking"),)
    held: str = ""

    def _apply(self, column):
        value = column[0].as_py()
        self._tell(value)
        return column


class InItsMessage(Leaking):
    def _tell(self, value):
        raise InvalidValue(f"not a date: {value}")


class InAField(Leaking):
    def _tell(self, value):
        error = InvalidValue("not a date")
        error.first_rows = (value,)
        raise error


class InItsCause(Leaking):
    def _tell(self, value):
        try:
            int(value)
        except ValueError as error:
            raise UnsupportedColumn("not a number") from error


class InItsHiddenContext(Leaking):
    def apply_counted(self, column, context):
        try:
            int(column[0].as_py())
        except ValueError:
            raise UnsupportedColumn("not a number") from None
        return column, 0


class InANote(Leaking):
    def _tell(self, value):
        error = InvalidValue("not a date")
        error.add_note(value)
        raise error


class InTheLog(Leaking):
    def _tell(self, value):
        logging.getLogger("masking.leaking").debug("met %s", value)


class InAWarning(Leaking):
    def _tell(self, value):
        warnings.warn(f"met {value}", stacklevel=2)


class OnTheScreen(Leaking):
    def _tell(self, value):
        print(value)


class InItsRepr(Leaking):
    def _tell(self, value):
        object.__setattr__(self, "held", value)

    def derived(self, column):
        return {} if self.held != column[0].as_py() else {"shown": self._refuse()}

    def _refuse(self):
        raise InvalidValue(repr(self))


LEAKS = [InItsMessage, InAField, InItsCause, InItsHiddenContext, InANote, InTheLog, InAWarning, OnTheScreen, InItsRepr]


@pytest.mark.parametrize("leaking", LEAKS)
def test_a_technique_that_tells_is_caught(leaking):
    subject = Subject(leaking, leaking.spec[0])
    with pytest.raises(AssertionError, match="tells"):
        test_canary_columns(subject)


@pytest.mark.parametrize("spell", [bytes.hex, repr, lambda key: base64.b64encode(key).decode(), list])
def test_a_repr_that_tells_a_key_is_caught(spell):
    with pytest.raises(AssertionError):
        check_keyless([f"Technique(secret={spell(SECRET[:16])})"], SECRET)
