"""The policy page says what a table of cells shows, with margins or without, in the language of the page."""

import pytest

from masking.policy import explain_aggregate, load

HEAD = """version: 1
dataset: t-cells
attributes:
  age: {role: quasi_identifier, technique: generalization.bands, width: 20, reason: 年龄}
aggregate:
  by: [age]
  measures: {n: {count: "*"}}
"""
MARGINS = HEAD + "  protect: {method: rounding, base: 3, total: 合计}\n"


@pytest.mark.parametrize(
    ("name", "yaml", "chinese", "english"),
    [
        ("t-plain", HEAD, "计数按 5 取整", None),
        (
            "t-margins",
            MARGINS,
            "；".join(explain_aggregate(load(MARGINS))),
            "; ".join(explain_aggregate(load(MARGINS), "en")),
        ),
    ],
)
def test_the_policy_page_says_what_leaves(portal, name, yaml, chinese, english):
    portal.dataset(name, opening=None)
    officer, path = portal.client("officer"), f"/console/datasets/{name}/policy"
    saved = officer.post(path, data={"csrf_token": officer.csrf, "yaml": yaml, "action": "save-yaml"})
    assert saved.status_code == 200
    for lang, words in (("zh", chinese), ("en", english)):
        page = officer.get(path, headers={"Accept-Language": lang}).text
        assert words is None or words in page
