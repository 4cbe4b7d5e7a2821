"""Search: characters and words; visibility first."""

import pytest

from opendata.catalog import service as catalog
from opendata.catalog.errors import CatalogDenied, DatasetNotFound, InvalidEntry
from opendata.catalog.models import Dataset
from opendata.catalog.search import parse, tokens_of
from opendata.ledger.models import LedgerEntry

ENTRIES = {
    "wuhou": ("武侯区公园名录", "Parks of Wuhou"),
    "scattered": ("武装与诸侯史料", "Arms and lords"),
    "flights": ("航班起降记录 2013", "Flight departures"),
    "villages": ("全国村居代码", "Villages of China"),
}


@pytest.fixture
def listed(chain):
    for name, (zh, en) in ENTRIES.items():
        listed_dataset(chain, name, title_zh=zh, title_en=en)
    return chain


def listed_dataset(chain, name, **fields):
    with chain.database.begin() as session:
        dataset = catalog.create_dataset(session, name=name, actor=chain.people["officer"], level="L1", **fields)
        catalog.list_dataset(session, dataset, actor=chain.people["officer"])


def found(chain, query, viewer=None, **options):
    with chain.database.session() as session:
        return [each.name for each in catalog.search(session, query, viewer, **options).items]


@pytest.mark.parametrize(("query", "names"), [
    ("武侯", {"wuhou"}),             # the two characters apart are not a match
    ("武", {"wuhou", "scattered"}),  # one character
    ("武侯区公园", {"wuhou"}),
    ("公园 武侯", {"wuhou"}),        # every word, any order
    ("flight", {"flights"}),         # the start of a word
    ("ＦＬＩＧＨＴ", {"flights"}),     # width and case do not matter
    ("ight", set()),                 # not the middle of a word
    ("2013", {"flights"}),
    ("村居 flights", set()),
    ("!!!", set()),
    ("%", set()),
    ("_", set()),
    ("", set(ENTRIES)),
])  # fmt: skip
def test_search(listed, query, names):
    assert set(found(listed, query)) == names


def test_titles_weigh_more_than_summaries(listed):
    listed_dataset(listed, "airports", title_zh="机场", title_en="Airports", summary_zh="航班 航班 航班")
    assert found(listed, "航班") == ["flights", "airports"]


def test_hidden_dataset_changes_no_public_answer(listed):
    def answers(viewer):
        with listed.database.session() as session:
            pages = []
            for query in ("", "武侯", "航班", "机密", "c", "机"):
                page = catalog.search(session, query, viewer, page_size=2)
                pages.append(([each.name for each in page.items], page.total, page.facets))
            return pages, catalog.names(session, viewer)

    firm = listed.people["firm"]
    before = answers(None), answers(firm)
    for visibility in ("none", "department"):
        fields = {"title_zh": "机密航班武侯", "title_en": "classified", "theme": "机密", "visibility": visibility}
        listed_dataset(listed, f"hidden-{visibility}", **fields)
    with listed.database.begin() as session:
        catalog.create_dataset(
            session, name="draft", title_zh="机密草稿", title_en="draft", actor=listed.people["officer"]
        )
    assert (answers(None), answers(firm)) == before
    assert answers(listed.people["officer"]) != answers(None)
    with listed.database.session() as session:
        for name in ("hidden-none", "hidden-department", "draft", "no-such-dataset"):
            with pytest.raises(DatasetNotFound) as refused:
                catalog.get(session, name, firm)
            assert refused.value.reason == DatasetNotFound().reason


def test_facets_and_filters_count_what_is_found(listed):
    listed_dataset(listed, "roads", title_zh="道路", title_en="Roads", theme="交通")
    with listed.database.session() as session:
        page = catalog.search(session, "", None)
        assert page.facets["theme"] == {"交通": 1}
        assert page.facets["level"] == {"L1": 5}
        assert [each.name for each in catalog.search(session, "", None, filters={"theme": "交通"}).items] == ["roads"]
        with pytest.raises(InvalidEntry):
            catalog.search(session, "", None, filters={"password": "x"})


def test_index_follows_changes(listed):
    with listed.database.begin() as session:
        dataset = catalog.get(session, "wuhou", listed.people["officer"])
        catalog.update_dataset(session, dataset, actor=listed.people["officer"], title_zh="青羊区公园名录")
    assert found(listed, "武侯") == []
    assert found(listed, "青羊") == ["wuhou"]


def test_tokens():
    assert tokens_of("武侯区 Ab-1") == {"武", "侯", "区", "武侯", "侯区", "ab", "1"}
    assert parse("x" * 500).runs == ("x" * 200,)


@pytest.mark.parametrize(("fields", "field"), [
    ({"name": "Not A Name"}, "name"),
    ({"name": "wuhou"}, "name"),
    ({"title_en": " "}, "title_en"),
    ({"visibility": "everyone"}, "visibility"),
    ({"level": "L9"}, "level"),
    ({"update_frequency": "P0Y"}, "update_frequency"),
    ({"keywords": [1]}, "keywords"),
])  # fmt: skip
def test_wrong_entries_are_refused(listed, fields, field):
    given = {"name": "fresh", "title_zh": "新", "title_en": "new"} | fields
    with listed.database.begin() as session, pytest.raises(InvalidEntry) as refused:
        catalog.create_dataset(session, actor=listed.people["officer"], **given)
    assert refused.value.field == field


def test_only_the_departments_officers_edit(listed):
    for who in ("other_officer", "firm", "reviewer"):
        with listed.database.begin() as session:
            dataset = catalog.get(session, "wuhou", None)
            with pytest.raises(CatalogDenied):
                catalog.update_dataset(session, dataset, actor=listed.people[who], theme="x")


def test_levels_rise_and_never_fall_here(listed):
    officer = listed.people["officer"]
    with listed.database.begin() as session:
        catalog.update_dataset(session, catalog.get(session, "wuhou", officer), actor=officer, level="L3")
    with listed.database.begin() as session, pytest.raises(InvalidEntry):
        catalog.update_dataset(session, catalog.get(session, "wuhou", officer), actor=officer, level="L2")
    assert listed.count(LedgerEntry, type="catalog:dataset:raise_level") == 1
    with listed.database.session() as session:
        assert catalog.get(session, "wuhou", None).level == "L3"
        assert session.get_one(Dataset, catalog.get(session, "wuhou", None).id).state == "published"
