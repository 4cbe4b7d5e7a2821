"""A policy that names a hierarchy's file is saved over both ways in with what the file says."""

import pytest

from masking.policy import load

YAML = """version: 1
dataset: NAME
level: L2
attributes:
  job: {role: quasi_identifier, technique: generalization.hierarchy, file: "FILE", level: 2, reason: 职业}
limits: {k_anonymity: 5}
"""


@pytest.fixture(scope="module", params=["page", "api"])
def save(request, portal):
    name = f"t-files-{request.param}"
    portal.dataset(name, opening=None)
    officer, api = portal.client("officer"), portal.api("officer")

    def ask(file, language="zh"):
        yaml = YAML.replace("NAME", name).replace("FILE", file)
        spoken = {"Accept-Language": language}
        if request.param == "api":
            return api.put(f"/api/v1/datasets/{name}/policy", content=yaml.encode(), headers=spoken)
        form = {"csrf_token": officer.csrf, "yaml": yaml, "action": "save-yaml"}
        return officer.post(f"/console/datasets/{name}/policy", data=form, headers=spoken)

    ask.saved = lambda: [version for version in versions(portal, name) if "职业" in version]
    return ask


def versions(portal, name):
    from sqlalchemy import select

    from opendata.catalog.models import Dataset
    from opendata.publishing.models import PolicyVersion

    with portal.database.session() as session:
        chosen = select(PolicyVersion.yaml).join(Dataset, Dataset.id == PolicyVersion.dataset_id)
        return list(session.scalars(chosen.where(Dataset.name == name).order_by(PolicyVersion.number)))


def test_the_file_is_in_the_saved_policy(save):
    assert save("occupation.csv").status_code == 200
    rule = load(save.saved()[-1]).attributes["job"]
    assert len(rule.parameters["mapping"]) > 50
    assert "file" not in rule.parameters


@pytest.mark.parametrize(("language", "words"), [("zh", "没有层级文件"), ("en", "There is no hierarchy file")])
def test_any_other_file_is_refused_in_both_languages(save, language, words):
    before = len(save.saved())
    for file in ("../run", "grades.yaml", "/etc/passwd"):
        answer = save(file, language)
        assert answer.status_code in (200, 400, 422)
        assert words in answer.text.replace("&#39;", "'")
    assert len(save.saved()) == before
