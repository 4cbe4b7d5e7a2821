"""Migrations make exactly what the models say, on both databases."""

import threading

import pytest

from opendata.db.migrate import Branch, branches, create_schema, differences, migrate, revise, upgrade
from opendata.errors import ConfigurationError
from opendata.parts import Part, installed_parts


def test_core_migrations_make_what_the_models_say(url):
    upgrade(url, branches(()))
    assert differences(url, branches(())) == []


def test_migrations_of_every_installed_part_make_what_the_models_say(url):
    every = branches(installed_parts())
    upgrade(url, every)
    assert differences(url, every) == []


def test_core_has_one_baseline_and_it_names_its_branch():
    (core,) = branches(())
    versions = sorted(core.folder.glob("*.py"))
    assert versions[0].name == "core_0001_baseline.py"
    assert "'core'" in versions[0].read_text().replace('"', "'")


def test_upgrading_twice_and_at_once_is_safe(settings):
    errors = []

    def work():
        try:
            migrate(settings, ())
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    migrate(settings, ())
    assert errors == []
    assert differences(settings.database_url, branches(())) == []


def test_a_failing_migration_leaves_the_database_as_it_was(url, tmp_path):
    from sqlalchemy import inspect

    from opendata.db import engine_for

    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "bad_0001.py").write_text(
        "revision = 'bad_0001'\ndown_revision = None\nbranch_labels = ('bad',)\ndepends_on = 'core_0001'\n"
        "def upgrade():\n    raise RuntimeError('half-way')\n"
    )
    with pytest.raises(RuntimeError):
        upgrade(url, (*branches(()), Branch("bad", (), tmp_path / "bad")))
    made = engine_for(url)
    with made.connect() as connection:
        assert inspect(connection).get_table_names() == []
    made.dispose()


def test_a_part_gets_its_own_branch_and_numbered_versions(tmp_path, monkeypatch):
    (tmp_path / "extra_models.py").write_text(
        "from sqlalchemy import ForeignKey, String\nfrom sqlalchemy.orm import Mapped, mapped_column\n"
        "from opendata.db import Base\n\n\nclass Extra(Base):\n    __tablename__ = 'extra_things'\n"
        "    id: Mapped[str] = mapped_column(String(36), primary_key=True)\n"
        "    user_id: Mapped[str] = mapped_column(ForeignKey('users.id'))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    part = Part(name="extra", models="extra_models", migrations=tmp_path / "versions")
    path = revise("extra", "first", (part,))
    try:
        assert path.name == "extra_0001_first.py"
        text = path.read_text()
        assert "extra_things" in text
        assert "create_table('users'" not in text
        url = f"sqlite:///{tmp_path / 'x.sqlite'}"
        upgrade(url, branches((part,)))
        assert differences(url, branches((part,))) == []
        assert revise("extra", "second", (part,)).name == "extra_0002_second.py"
    finally:
        from opendata.db import Base

        Base.metadata.remove(Base.metadata.tables["extra_things"])
    with pytest.raises(ConfigurationError):
        revise("nobody", "x", (part,))


def test_a_schema_for_tests_equals_the_migrations(settings):
    from opendata.db import Database

    database = Database(settings)
    create_schema(database)
    assert differences(settings.database_url, branches(())) == []
    database.dispose()
