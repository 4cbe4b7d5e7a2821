"""Policies in YAML: places of errors, near misses, hostile text, round trips."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking import techniques
from masking.errors import PolicyError
from masking.policy import (
    Aggregate,
    AttributeRule,
    KeyDomain,
    Limits,
    MaskingPolicy,
    Sample,
    SandboxRules,
    digest,
    dump,
    dump_set,
    holds_several,
    json_schema,
    load,
    load_set,
)
from masking.policy.schema import RULE_WORDS, parameters_of
from masking.policy.shape import violations
from masking.taxonomy import DataLevel, Role
from masking.techniques.conditions import condition

HEAD = "version: 1\ndataset: x\nattributes:\n"


def test_the_example_of_the_style_guide_reads():
    policy = load(
        """version: 1
dataset: admissions
unit: national_id
attributes:
  national_id: {role: direct_identifier, technique: pseudonymization.keyed, key: admissions-2026}
  birth_date:  {role: quasi_identifier,  technique: generalization.date, to: year}
  diagnosis:   {role: sensitive}
limits: {k_anonymity: 10, distinct_l_diversity: 3}
"""
    )
    assert policy.attributes["birth_date"].parameters == {"to": "year"}
    assert policy.attributes["diagnosis"].technique == "keep"
    assert policy.attributes["birth_date"].line == 6
    assert policy.limits == Limits(10, 3)
    assert policy.key_names == ("admissions-2026",)
    assert policy.quasi_identifiers == ("birth_date",)
    assert policy.sensitive == ("diagnosis",)
    assert policy.about_persons
    assert digest(policy) == digest(load(policy.source_text))
    assert policy.source_text not in repr(policy)


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        (HEAD + "  a: {role: sensitve}\n", 4, 7, "did you mean 'sensitive'"),
        (HEAD + "  a: {role: sensitive, technique: keap}\n", 4, 24, "did you mean 'keep'"),
        (HEAD + "  a: {role: sensitive, wdith: 3}\n", 4, 24, "did you mean 'width'"),
        ("version: 1\ndataset: x\nattrbutes:\n  a: {role: sensitive}\n", 3, 1, "did you mean 'attributes'"),
        ("version: 2\ndataset: x\nattributes:\n  a: {role: sensitive}\n", 1, 1, "version 1"),
        ("version: 1\nattributes:\n  a: {role: sensitive}\n", 1, 1, "needs ['dataset']"),
        (HEAD + "  a: {technique: keep}\n", 4, 3, "needs ['role']"),
        (HEAD + "  a: {role: quasi_identifier}\n", 4, 3, "needs a technique"),
        (HEAD + "  a: {role: direct_identifier}\n", 4, 3, "needs a technique"),
        (HEAD + "  a: [role]\n", 4, 3, "a mapping"),
        (HEAD + "  a: {role: sensitive}\n  a: {role: sensitive}\n", 5, 3, "duplicate key"),
        (HEAD + "  a: {role: sensitive}\nlimits: {k_anonymity: 1}\n", 5, 10, "at least 2"),
        (HEAD + "  a: {role: sensitive}\nlimits: {k_anonymity: five}\n", 5, 10, "a whole number"),
        (HEAD + "  a: {role: sensitive}\nlimits: {suppression: 1.5}\n", 5, 10, "at most 1"),
        (HEAD + "  a: {role: sensitive}\naggregate: {by: [a, a], measures: {n: {count: a}}}\n", 5, 13, "twice"),
        (HEAD + "  a: {role: sensitive}\naggregate: {by: [], measures: {n: {count: a}}}\n", 5, 13, "at least"),
        (HEAD + "  a: {role: sensitive}\naggregate: {by: [a], measures: {n: {max: a}}}\n", 5, 37, "no entry 'max'"),
        (HEAD + "  a: {role: sensitive, title: {zh: 甲}}\n", 4, 24, "needs ['en']"),
        (HEAD + "  a: &x {role: sensitive}\n  b: *x\n", 4, None, "anchors"),
        (HEAD + "  a: !!python/object/apply:os.system [id]\n", 4, None, "tags"),
        (HEAD + "  a: {role: sensitive\n", None, None, "not YAML"),
        # Each technique takes its own parameters.
        (HEAD + "  a: {role: sensitive, technique: generalization.bands, wdith: 3}\n", 4, 57, "did you mean 'width'"),
        (HEAD + "  a: {role: sensitive, technique: generalization.bands, base: 3}\n", 4, 57, "generalization.rounding"),
        (
            HEAD + "  a: {role: sensitive, technique: generalization.bands, base: 3}\n",
            4,
            57,
            "it has ['edges', 'lower'",
        ),
        (HEAD + "  a: {role: sensitive, technique: keep, reson: x}\n", 4, 41, "did you mean 'reason'"),
        (
            HEAD + "  a: {role: sensitive, technique: suppression.drop, width: 3}\n",
            4,
            53,
            "no parameter 'width'; 'width' belongs",
        ),
        (HEAD + "  a: {role: sensitive, technique: generalization.rounding}\n", 4, 3, "needs ['base']"),
        (HEAD + "  a: {role: sensitive, technique: generalization.rounding, base: ten}\n", 4, 60, "must be a number"),
        (HEAD + "  a: {role: sensitive, technique: generalization.bands, edges: 5}\n", 4, 57, "a list or nothing"),
        (HEAD + "  a: {role: sensitive, technique: generalization.bands, edges: [1, b]}\n", 4, 68, "must be a number"),
        (HEAD + "  a: {role: sensitive, technique: generalization.division, to: provnce}\n", 4, 60, "mean 'province'"),
        (
            HEAD + "  a: {role: sensitive, technique: pseudonymization.keyed, algorithm: md5, key: k}\n",
            4,
            59,
            "aes-cmac",
        ),
        (HEAD + "  a: {role: sensitive, technique: suppression.mask, keep_first: true}\n", 4, 53, "a whole number"),
        # What holds otherwise, conditions, records, keys.
        (
            HEAD + "  a: {role: sensitive, when: {column: a, equals: 1}, otherwise: {tecnique: keep}}\n",
            4,
            66,
            "'technique'",
        ),
        (
            HEAD + "  a: {role: sensitive, when: {column: a, equals: 1}, otherwise: {reason: x}}\n",
            4,
            66,
            "no entry",
        ),
        (
            HEAD + "  a: {role: sensitive, when: {column: a, equals: 1},\n"
            "      otherwise: {technique: generalization.rounding, bse: 5}}\n",
            5,
            55,
            "did you mean 'base'",
        ),
        (
            HEAD + "  a: {role: sensitive, when: {column: a, equal: 1}, otherwise: {technique: keep}}\n",
            4,
            42,
            "'equals'",
        ),
        (HEAD + "  a: {role: sensitive, when: {column: a}, otherwise: {technique: keep}}\n", 4, 24, "names one column"),
        (HEAD + "  a: {role: sensitive}\nsuppress: [{column: a, belwo: 3}]\n", 5, 24, "did you mean 'below'"),
        (HEAD + "  a: {role: sensitive}\nsuppress: [{any: [{column: a}]}]\n", 5, 12, "names one column"),
        (HEAD + "  a: {role: sensitive}\nsample: {shar: 0.1, key: k}\n", 5, 10, "did you mean 'share'"),
        (HEAD + "  a: {role: sensitive}\nrecord: a\n", 5, 1, "must be a list"),
        (HEAD + "  a: {role: sensitive}\nkey_domains: {k: {verson: 2}}\n", 5, 19, "did you mean 'version'"),
        (HEAD + "  a: {role: sensitive}\ntest_data: 'yes'\n", 5, 1, "true or false"),
        # Several tables.
        ("version: 1\ndataset: x\ntables: {a: {atributes: {}}}\n", 3, 14, "did you mean 'attributes'"),
        ("version: 1\ndataset: x\ntables: {a: {attributes: {b: {role: quasi_identifier}}}}\n", 3, 27, "a technique"),
        (
            "version: 1\ndataset: x\ntables: {a: {attributes: {b: {role: sensitive}}}}\nunit: b\n",
            4,
            1,
            "no entry 'unit'",
        ),
        (
            "version: 1\ndataset: x\ntables: {a: {attributes: {b: {role: sensitive}}}}\nforeign_keys: [{from: b, to: a.b}]\n",
            4,
            17,
            "table.column",
        ),
        ("- 1\n- 2\n", 1, 1, "a mapping"),
        ("\n", 1, 1, "a mapping"),
        ("a\x00: 1\n", None, None, "not YAML"),
    ],
)
def test_errors_have_a_place_and_the_right_word(text, line, column, words):
    with pytest.raises(PolicyError) as caught:
        (load_set if "\ntables:" in text else load)(text)
    assert words in str(caught.value)
    if line is not None:
        assert caught.value.line == line
    if column is not None:
        assert caught.value.column == column


SET = """version: 1
dataset: hospital
key_domains:
  k: {joins: [id, patient], period: 2026-03, datasets: [hospital]}
tables:
  patients:
    title: {zh: 患者, en: patients}
    unit: id
    attributes:
      id: {role: direct_identifier, technique: pseudonymization.keyed, key: k}
      born: {role: quasi_identifier, technique: generalization.date, to: year}
    limits: {k_anonymity: 5}
  visits:
    record: [patient, day]
    attributes:
      patient: {role: direct_identifier, technique: pseudonymization.keyed, key: k}
      day: {role: quasi_identifier, technique: randomization.date_shift, max_days: 30, per: patient, key: k}
foreign_keys:
  - {from: visits.patient, to: patients.id}
"""


def test_several_tables():
    policies = load_set(SET)
    assert list(policies.tables) == ["patients", "visits"]
    patients, visits = policies.tables.values()
    assert (patients.dataset, visits.dataset) == ("hospital.patients", "hospital.visits")
    assert patients.key_use(patients.attributes["id"]) == visits.key_use(visits.attributes["patient"])
    apart = visits.key_use(visits.attributes["day"]).scope
    assert apart == "k/period/2026-03/hospital.visits/day"
    (key,) = policies.foreign_keys
    assert (str(key), key.line) == ("visits.patient → patients.id", 19)
    assert policies.key_names == ("k",)
    assert dump_set(load_set(dump_set(policies))) == dump_set(policies)
    assert load_set(dump_set(policies)).foreign_keys[0].to_column == "id"
    assert policies.source_text not in repr(policies)


def test_one_table_is_no_set_and_a_set_is_no_table():
    assert holds_several(SET)
    assert not holds_several(HEAD + "  a: {role: sensitive}\n")
    with pytest.raises(PolicyError, match="several tables"):
        load(SET)
    with pytest.raises(PolicyError, match="`tables:`"):
        load_set(HEAD + "  a: {role: sensitive}\n")


def test_no_parameter_has_the_name_of_a_word():
    for name in techniques.names():
        assert not set(parameters_of(name)) & set(RULE_WORDS), name


@pytest.mark.parametrize("name", techniques.names())
def test_a_technique_is_described_in_the_schema(name):
    (branch,) = [each for each in json_schema()["$defs"]["rule"]["allOf"] if branch_of(each) == name]
    known = {parameter.name: parameter for parameter in techniques.get(name).parameters()}
    assert set(branch["then"]["properties"]) == set(known)
    assert branch["then"]["required"] == [each.name for each in known.values() if each.required]
    assert branch["then"]["description"].endswith(".") or ":" in branch["then"]["description"]
    assert "\n" not in branch["then"]["description"]


def branch_of(branch):
    return branch["if"]["properties"]["technique"]["const"]


@pytest.mark.parametrize("name", techniques.names())
def test_the_schema_takes_what_the_technique_takes(name):
    """Each example of the technique passes the schema as a policy would write it, and so does it otherwise."""
    schema = json_schema()
    for example in techniques.get(name).spec:
        words = json.loads(json.dumps({"technique": name, **example.parameters}))
        rule = {"role": "sensitive", **words}
        when = {"role": "sensitive", "when": {"column": "a", "equals": 1}, "otherwise": words}
        for each in (rule, when):
            document = {"version": 1, "dataset": "x", "attributes": {"a": each}}
            assert not list(violations(document, schema))
            assert not general_errors(document, schema)


def general_errors(document, schema):
    import jsonschema  # seconds, for whoever only collects the tests

    return list(jsonschema.Draft202012Validator(schema).iter_errors(document))


@settings(deadline=None)
@given(
    st.sampled_from(techniques.names()),
    st.dictionaries(
        st.sampled_from(sorted({p for name in techniques.names() for p in parameters_of(name)} | {"key", "x"})),
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(-1, 3),
            st.floats(-2, 2),
            st.sampled_from(["reject", "year", "a"]),
            st.lists(st.one_of(st.integers(0, 2), st.just("a")), max_size=2),
            st.just({"a": "b"}),
        ),
        max_size=4,
    ),
    st.booleans(),
)
def test_parameters_are_judged_as_a_general_validator_does(name, parameters, otherwise):
    words = {"technique": name, **parameters}
    rule = {"role": "sensitive", "otherwise": words} if otherwise else {"role": "sensitive", **words}
    document = {"version": 1, "dataset": "x", "attributes": {"a": rule}}
    schema = json_schema()
    general = {(str(tuple(e.absolute_path)), e.validator) for e in general_errors(document, schema)}
    ours = {(str(v.path), v.keyword) for v in violations(document, schema)}
    assert bool(general) == bool(ours)
    if general:
        with pytest.raises(PolicyError) as caught:
            load(json.dumps(document) + "\n")
        assert caught.value.line == 1


def test_files(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(HEAD + "  a: {role: sensitive}\n", "utf-8")
    assert load(path).dataset == "x"
    assert load(str(path)).dataset == "x"
    path.write_bytes(b"\xff\xfe\n")
    with pytest.raises(PolicyError, match="UTF-8"):
        load(path)
    with pytest.raises(PolicyError, match="cannot be read"):
        load(tmp_path / "none.yaml")
    path.write_text(HEAD + "#" * (1 << 20) + "\n", "utf-8")
    with pytest.raises(PolicyError, match="at most"):
        load(path)


def test_billion_laughs_are_refused():
    laughs = "a: &a [x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(8)
    )
    with pytest.raises(PolicyError, match="anchors"):
        load(laughs)


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=12)
RULES = st.one_of(
    st.builds(lambda t: {"role": Role.SENSITIVE, "technique": "keep", "title": {"zh": t, "en": t}}, NAMES),
    st.builds(lambda r: {"role": Role.INSENSITIVE, "technique": "keep", "reason": r, "invented": True}, NAMES),
    st.builds(
        lambda w: {"role": Role.QUASI_IDENTIFIER, "technique": "generalization.bands", "parameters": {"width": w}},
        st.integers(1, 99),
    ),
    st.builds(
        lambda k: {
            "role": Role.DIRECT_IDENTIFIER,
            "technique": "pseudonymization.keyed",
            "key": k,
            "level": DataLevel.L4,
        },
        NAMES,
    ),
    st.builds(
        lambda c: {"role": Role.SENSITIVE, "technique": "keep", "codes": tuple(c), "practice": {"values": c}},
        st.lists(st.one_of(NAMES, st.integers(), st.booleans()), min_size=1, max_size=3),
    ),
)


@settings(deadline=None)
@given(
    st.dictionaries(NAMES, RULES, min_size=1, max_size=4),
    st.integers(2, 9),
    st.sampled_from([None, (1, 0.5), (3, 0.9)]),
)
def test_dump_and_load_round_trip(rules, k, dominance):
    attributes = {name: AttributeRule(name=name, **rule) for name, rule in rules.items()}
    first = next(iter(attributes))
    policy = MaskingPolicy(
        dataset="数据 set: #1",
        title={"zh": "标题", "en": "title"},
        level=DataLevel.L4,
        origin={"licence": "MIT"},
        unit=first,
        attributes=attributes,
        limits=Limits(k_anonymity=k, suppression=0.05),
        aggregate=Aggregate((first,), {"n": {"count": "*"}, "m": {"mean": first}}, 11, 3, {first: (0, 9.5)}, dominance),
        sandbox=SandboxRules(20, 10, ("frequency",), 100, 50),
        record=(first,),
        suppress=(condition({"any": [{"column": first, "in": [1, 2]}, {"column": first, "is_null": True}]}),),
        sample=Sample(0.5, "k"),
        key_domains={"k": KeyDomain(("a",), 2, (first,), "2026-03"), "l": KeyDomain()},
        test_data=True,
    )
    again = load(dump(policy))
    stripped = {
        name: AttributeRule(**{s: getattr(rule, s) for s in AttributeRule.__slots__ if s != "line"})
        for name, rule in again.attributes.items()
    }
    assert stripped == policy.attributes
    for field in MaskingPolicy.__slots__:
        if field not in ("attributes", "source_text"):
            assert getattr(again, field) == getattr(policy, field)


@pytest.mark.parametrize(
    "name", [":a", "?", "a\x85b", "- x", "#", "yes", "1", "null", "a: b", "{", "\u2028", "'", '"', " a ", "\ufeffa"]
)
def test_any_column_name_survives(name):
    rule = AttributeRule(name, Role.SENSITIVE, "keep", title={"zh": name, "en": name}, reason=name)
    again = load(dump(MaskingPolicy(dataset=name, attributes={name: rule}))).attributes[name]
    assert (again.title, again.reason) == ({"zh": name, "en": name}, name)


def test_the_schema_file_is_the_schema(request):
    path = request.config.rootpath / "policies" / "masking-policy.schema.json"
    assert json.loads(path.read_text("utf-8")) == json_schema()


JSON_VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-2, 12),
        st.floats(-2, 2),
        st.sampled_from(["", "keep", "sensitive", "L1", "x"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "version",
                    "dataset",
                    "attributes",
                    "role",
                    "technique",
                    "limits",
                    "k_anonymity",
                    "suppression",
                    "by",
                    "measures",
                    "count",
                    "aggregate",
                    "title",
                    "zh",
                    "en",
                    "x",
                ]
            ),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=12,
)
GOOD = {"version": 1, "dataset": "x", "attributes": {"a": {"role": "sensitive"}}}


@settings(deadline=None)
@given(JSON_VALUES, st.sampled_from([None, "attributes", "limits", "aggregate", "title", "sandbox", "level"]))
def test_shapes_are_judged_as_a_general_validator_does(value, place):
    document = value if place is None else {**GOOD, place: value}
    schema = json_schema()
    general = sorted((str(tuple(e.absolute_path)), e.validator) for e in general_errors(document, schema))
    ours = sorted((str(v.path), v.keyword) for v in violations(document, schema))
    # The general one repeats `required` once per missing name and goes on below a wrong type.
    assert bool(general) == bool(ours)
    assert {g for g in general if g[1] != "required"} >= {o for o in ours if o[1] not in ("required", "tables")}


def test_an_unhandled_keyword_is_an_error_of_the_program():
    with pytest.raises(NotImplementedError):
        list(violations({}, {"oneOf": []}))
