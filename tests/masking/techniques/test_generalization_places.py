"""Places: division codes, addresses, postcodes, coordinates; none of them lets a value pass in clear."""

import re

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import InvalidParameter, InvalidValue, UnsupportedColumn
from masking.techniques import get
from masking.techniques.generalization.divisions import full_names, names


def build(name, **parameters):
    return get(f"generalization.{name}").build(parameters, attribute="place")


def masked(name, values, **parameters):
    return build(name, **parameters).apply(pa.array(values)).to_pylist()


class TestDivision:
    @pytest.mark.parametrize(
        ("to", "expected"),
        [
            ("province", "430000"),  # GB/T 2260: padded with zeros
            ("city", "430100"),
            ("county", "430104"),
            ("street", "430104002"),  # GB/T 10114: nine digits
        ],
    )
    @pytest.mark.parametrize("code", ["430104002", "430104002001"])
    def test_levels(self, to, expected, code):
        assert masked("division", [code], to=to) == [expected]

    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            (430104, "430100"),  # a number
            ("430000", "430000"),  # coarser already
            ("419001", "419000"),  # a county under its province
            ("441900003", "441900"),  # a city without counties
            ("810000", "810000"),  # Hong Kong
        ],
    )
    def test_cities(self, code, expected):
        assert masked("division", [code], to="city") == [expected]

    @pytest.mark.parametrize(
        "code",
        [
            "",
            "43",
            "43010",
            "4301040",  # seven digits
            "43010400200",  # eleven
            "4301040020010",  # thirteen
            "990104",  # no province
            "430004",  # a county without a city
            "４３０１０４",  # full width
            "430104\n",
            " 430104",
            "43010a",
            "长沙市",
            -430104,
            43,
        ],
    )
    def test_what_is_no_code_is_refused_or_hidden(self, code):
        with pytest.raises(InvalidValue) as refused:
            masked("division", [code], to="county")
        assert (refused.value.count, refused.value.first_rows) == (1, (0,))
        made = build("division", to="county", on_invalid="suppress")
        result, count = made.apply_counted(pa.array([code, None]))
        assert (result.to_pylist(), count) == (["*", None], 1)

    def test_names(self):
        codes = ["430104", "110101", "500101", "419001", "441900", "430100", "430000", None]
        assert masked("division", codes, to="county", names=True) == [
            "湖南省长沙市岳麓区",
            "北京市东城区",
            "重庆市万州区",
            "河南省济源市",
            "广东省东莞市",
            "湖南省长沙市",
            "湖南省",
            None,
        ]
        with pytest.raises(InvalidValue):  # abolished long ago: there is no name in the table
            masked("division", ["430199"], to="county", names=True)
        with pytest.raises(InvalidParameter, match="streets"):
            build("division", to="street", names=True)

    def test_every_code_of_the_table_has_a_name_at_every_level(self):
        codes = list(names())
        for to in ("province", "city", "county"):
            found = masked("division", codes, to=to, names=True)
            assert all(full_names()[code].startswith(name) for code, name in zip(codes, found, strict=True))

    @given(st.lists(st.one_of(st.none(), st.sampled_from(sorted(names()))), max_size=20))
    @settings(max_examples=30, deadline=None)
    def test_levels_nest(self, codes):
        column = pa.array(codes, pa.string())
        county = build("division", to="county").apply(column)
        city = build("division", to="city").apply(county)
        assert city.equals(build("division", to="city").apply(column))
        assert build("division", to="province").apply(city).equals(build("division", to="province").apply(column))


class TestAddress:
    @pytest.mark.parametrize(
        ("address", "expected"),
        [
            ("湖南省长沙市岳麓区麓山南路932号", "湖南省长沙市岳麓区"),
            ("中国湖南省 长沙市 岳麓区麓山南路", "湖南省长沙市岳麓区"),
            ("湖南长沙岳麓区麓山南路", "湖南省长沙市岳麓区"),  # without suffixes
            ("长沙市岳麓区麓山南路", "湖南省长沙市岳麓区"),  # without province
            ("湖南省岳麓区麓山南路", "湖南省长沙市岳麓区"),  # without city, one in the province
            ("岳麓区麓山南路", "湖南省长沙市岳麓区"),  # one in the country
            ("湖南省长沙县星沙街道", "湖南省长沙市长沙县"),  # the county is called like its city
            ("北京市朝阳区建国路", "北京市朝阳区"),
            ("北京市市辖区朝阳区建国路", "北京市朝阳区"),
            ("北京朝阳区建国路", "北京市朝阳区"),
            ("重庆市巫山县", "重庆市巫山县"),
            ("吉林省吉林市昌邑区", "吉林省吉林市昌邑区"),
            ("吉林市昌邑区", "吉林省吉林市昌邑区"),
            ("河南省济源市", "河南省济源市"),
            ("广东省东莞市长安镇", "广东省东莞市"),  # a city without counties
            ("内蒙古自治区呼伦贝尔市鄂温克族自治旗", "内蒙古自治区呼伦贝尔市鄂温克族自治旗"),
            ("新疆伊犁哈萨克自治州伊宁市", "新疆维吾尔自治区伊犁哈萨克自治州伊宁市"),
            ("湖北省荆州市沙市区", "湖北省荆州市沙市区"),  # 市 inside a name
            ("湖南省津市市", "湖南省常德市津市市"),
        ],
    )
    def test_counties(self, address, expected):
        assert masked("address", [address], to="county") == [expected]

    @pytest.mark.parametrize(
        "address",
        [
            "",
            "朝阳区建国路1号",  # Beijing or Changchun
            "南京路100号",  # a street in Shanghai
            "南京东路",
            "湖南路8号",
            "北京路",
            "中山路2号",
            "湖南省张三家市3栋",  # nothing but names of the table comes out
            "湖南省长沙市阳光小区3栋",  # a compound is no county
            "湖南省长沙市朝阳区",  # a county of another city
            "江苏省长沙市岳麓区",  # a city of another province
            "湖南省",  # too coarse
            "长沙市",
            "住址：湖南省长沙市岳麓区",  # it does not begin with it
            "13800000000",
        ],
    )
    def test_what_is_not_understood_is_hidden(self, address):
        assert masked("address", [address], to="county") == ["*"]
        with pytest.raises(InvalidValue):
            masked("address", [address], to="county", on_invalid="reject")

    @pytest.mark.parametrize(
        ("address", "to", "expected"),
        [
            ("湖南省长沙市阳光小区3栋", "city", "湖南省长沙市"),
            ("湖南省张三家市3栋", "province", "湖南省"),
            ("湖南省张三家市3栋", "city", "*"),
            ("北京市建国路", "city", "北京市"),  # a municipality is its own city
            ("上海南京路", "city", "*"),
            ("香港特别行政区中环", "province", "香港特别行政区"),
            ("江苏省长沙市岳麓区", "province", "*"),  # a contradiction
        ],
    )
    def test_coarser_levels(self, address, to, expected):
        assert masked("address", [address], to=to) == [expected]

    def test_every_county_is_found_by_its_full_name(self):
        counties = {code: name for code, name in full_names().items() if not code.endswith("00")}
        found = masked("address", [f"{name}人民路3号" for name in counties.values()], to="county")
        # A name that lies inside a city of that name (嘉峪关市) is the city's.
        assert all(full == name for full, name in zip(found, counties.values(), strict=True))

    @given(
        st.lists(st.one_of(st.none(), st.text(max_size=20), st.text("湖南省长沙市岳麓区路1", max_size=20)), max_size=9)
    )
    @settings(max_examples=50, deadline=None)
    def test_only_names_of_the_table_come_out(self, addresses):
        allowed = {*full_names().values(), "*", None}
        assert set(build("address", to="county").apply(pa.array(addresses, pa.string())).to_pylist()) <= allowed

    def test_rejects_are_counted(self):
        result, count = build("address", to="city").apply_counted(pa.array(["张三家", "长沙市", None]))
        assert (result.to_pylist(), count) == (["*", "湖南省长沙市", None], 1)


@pytest.mark.parametrize(
    ("digits", "values", "expected"),
    [
        (2, ["410082", None], ["41", None]),
        (3, ["010010"], ["010"]),
        (4, [10010], ["0100"]),  # numbers have lost their zero
    ],
)
def test_postcodes(digits, values, expected):
    assert masked("postcode", values, digits=digits) == expected


@pytest.mark.parametrize("value", ["", "41008", "4100821", "41 082", "４１００８２", "410082\n", 4100, 4100821, -10010])
def test_no_postcodes(value):
    with pytest.raises(InvalidValue):
        masked("postcode", [value], digits=3)
    assert masked("postcode", [value], digits=3, on_invalid="suppress") == ["*"]


class TestGrid:
    @pytest.mark.parametrize(
        ("axis", "step", "to", "value", "expected"),
        [
            ("latitude", 0.1, "lower", 0.3, 0.3),  # a border, despite binary fractions
            ("latitude", 0.1, "lower", 0.7, 0.7),
            ("latitude", 0.01, "centre", 28.2282, 28.225),
            ("latitude", 0.01, "centre", -28.2282, -28.225),
            ("longitude", 0.5, "lower", -0.2, -0.5),
            ("longitude", 0.5, "centre", -180, -179.75),
            ("longitude", 0.5, "centre", 180, 179.75),  # the last cell is closed
            ("latitude", 7, "centre", 90, 87.5),
            ("latitude", 7, "lower", -90, -90),  # a cell ends where the earth does
            ("latitude", 0.05, "centre", 0.0, 0.025),
        ],
    )
    def test_cells(self, axis, step, to, value, expected):
        assert masked("grid", [value], axis=axis, step=step, to=to) == [expected]

    @pytest.mark.parametrize("value", [90.1, -90.1, float("nan"), float("inf"), 1e300])
    def test_what_is_no_latitude(self, value):
        with pytest.raises(InvalidValue, match="latitude"):
            masked("grid", [1.0, value], axis="latitude", step=1)
        result, count = build("grid", axis="latitude", step=1, on_invalid="suppress").apply_counted(
            pa.array([1.0, value])
        )
        assert (result.to_pylist(), count) == ([1.5, None], 1)

    @given(st.lists(st.floats(-180, 180), max_size=20), st.sampled_from([0.001, 0.01, 0.05, 0.1, 0.25, 1, 10]))
    @settings(max_examples=50, deadline=None)
    def test_a_point_moves_by_at_most_half_a_step(self, values, step):
        moved = build("grid", axis="longitude", step=step).apply(pa.array(values, pa.float64())).to_pylist()
        assert all(abs(new - old) <= step / 2 + 1e-9 for new, old in zip(moved, values, strict=True))
        again = build("grid", axis="longitude", step=step).apply(pa.array(moved, pa.float64())).to_pylist()
        assert again == moved

    def test_steps(self):
        for step in (0, -1, 10.5, float("nan")):
            with pytest.raises(InvalidParameter):
                build("grid", axis="latitude", step=step)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("division", {}),
        ("division", {"to": "village"}),
        ("division", {"to": "city", "on_invalid": "keep"}),
        ("address", {"to": "street"}),
        ("postcode", {"digits": 5}),
        ("postcode", {"digits": "3"}),
        ("grid", {"step": 1}),
        ("grid", {"step": 1, "axis": "height"}),
        ("grid", {"step": 1, "axis": "latitude", "to": "corner"}),
    ],
)
def test_parameters_outside_their_interval(name, parameters):
    with pytest.raises(InvalidParameter):
        build(name, **parameters)


@pytest.mark.parametrize(
    ("name", "parameters", "column"),
    [
        ("division", {"to": "city"}, pa.array([4.5])),
        ("address", {"to": "city"}, pa.array([430104])),
        ("postcode", {"digits": 3}, pa.array([True])),
        ("grid", {"step": 1, "axis": "latitude"}, pa.array(["28.2"])),
    ],
)
def test_columns_of_another_type_are_refused(name, parameters, column):
    with pytest.raises(UnsupportedColumn):
        build(name, **parameters).apply(column)


def test_the_table_holds_names_of_places_only():
    assert len(names()) == 3351
    assert all(re.fullmatch("[0-9]{6}", code) and re.fullmatch("[㐀-鿿]+", name) for code, name in names().items())
