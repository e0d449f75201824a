import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin_client import rows
from tocsin_client.rows import COLUMNS, FALLBACKS, PRIVATE, BadRow, Row, draft, read_rows
from tocsin_schemas.indicators import parse
from tocsin_schemas.problems import Refused
from tocsin_schemas.signals import Account, Artefact, Media

NOW = 1_795_000_000
MD5 = "md5:d41d8cd98f00b204e9800998ecf8427e"
PDQ = "pdq:" + "f0" * 32
TOKEN = "email:v1.3." + "a" * 52
MEDIA = {
    "indicators": MD5,
    "basis": "human_confirmed",
    "labels": "test@1:benign_a",
    "detection_context": "upload",
}
SECRET = "jane.doe@mail.example"


def read(text: str | bytes, form: rows.Format) -> list[Row | BadRow]:
    return list(read_rows(io.BytesIO(text.encode() if isinstance(text, str) else text), form))


class TestCsv:
    def test_cells_become_columns_and_empty_ones_are_left_out(self) -> None:
        found = read(f"indicators,basis,labels,file\r\n{MD5} {PDQ},,a b,x.jpg\r\n\r\n", "csv")
        assert found == [Row(2, {"indicators": f"{MD5} {PDQ}", "labels": "a b", "file": "x.jpg"})]

    def test_a_byte_order_mark_and_spaces_in_the_header_do_no_harm(self) -> None:
        assert read(f"\ufeff indicators , basis\n{MD5},x", "csv") == [
            Row(2, {"indicators": MD5, "basis": "x"})
        ]

    def test_an_unknown_column_is_named_by_its_place_only(self) -> None:
        with pytest.raises(Refused) as caught:
            read(f"indicators,{SECRET}\n{MD5},x\n", "csv")
        assert caught.value.field == "column 2"
        assert SECRET not in str(caught.value)

    def test_a_column_twice_is_refused(self) -> None:
        with pytest.raises(Refused, match="twice"):
            read("indicators,indicators\n", "csv")

    def test_bad_lines_cost_only_themselves(self) -> None:
        text = f'indicators,basis\n{MD5},a\n"open,{SECRET}\n{MD5}\n{MD5},a,b\n\xff\xfe,b\n{MD5},c\n'
        found = read(text.encode("latin-1"), "csv")
        assert [(row.line, type(row)) for row in found] == [
            (2, Row), (3, BadRow), (4, BadRow), (5, BadRow), (6, Row), (7, Row)
        ]  # fmt: skip
        assert SECRET not in str(found)

    def test_a_line_without_end_is_passed_over(self) -> None:
        text = f"indicators\n{'x' * 200_000}\n{MD5}\n{'y' * 70_000}"
        found = read(text, "csv")
        assert [(row.line, type(row)) for row in found] == [(2, BadRow), (3, Row), (4, BadRow)]
        assert isinstance(found[0], BadRow)
        assert found[0].code == "payload-too-large"

    def test_nothing_and_only_a_header(self) -> None:
        assert read("", "csv") == read("indicators\n", "csv") == []


class TestNdjson:
    def test_members_become_columns(self) -> None:
        line = {
            "indicators": [MD5, PDQ],
            "pdq_quality": 90,
            "minor_suspected": True,
            "note": None,
            "basis": "x",
        }
        assert read(json.dumps(line) + "\n\n", "ndjson") == [
            Row(
                1,
                {"indicators": f"{MD5} {PDQ}", "pdq_quality": "90", "minor_suspected": "true", "basis": "x"},
            )
        ]
        assert read('{"minor_suspected":false}', "ndjson") == [Row(1, {"minor_suspected": "false"})]

    @pytest.mark.parametrize(
        ("line", "code"),
        [
            ("{", "json-invalid"),
            ("[]", "json-invalid"),
            ('{"basis":"a","basis":"b"}', "json-duplicate-key"),
            (f'{{"{SECRET}":1}}', "claim-unknown"),
            (f'{{"labels":{{"{SECRET}":1}}}}', "claim-invalid"),
            (f'{{"labels":["{SECRET} x"]}}', "claim-invalid"),
            ('{"pdq_quality":1.5}', "claim-invalid"),
            ('{"pdq_quality":NaN}', "json-invalid"),
            ('{"basis":"\xe9"}', "json-invalid"),
            ("x" * 70_000, "payload-too-large"),
        ],
    )
    def test_bad_lines_cost_only_themselves(self, line: str, code: str) -> None:
        bad, good = read(f'{line}\n{{"basis":"x"}}\n', "ndjson")
        assert isinstance(bad, BadRow)
        assert (bad.line, bad.code) == (1, code)
        assert SECRET not in str(bad)
        assert good == Row(2, {"basis": "x"})


NAMES = sorted(COLUMNS)
CELLS = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters="\x85"), min_size=1
).filter(str.strip)


@settings(max_examples=200)
@given(st.lists(st.dictionaries(st.sampled_from(NAMES), CELLS, min_size=1), min_size=1, max_size=5))
def test_csv_round_trip(table: list[dict[str, str]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, NAMES)
    writer.writeheader()
    writer.writerows(table)
    assert read(text.getvalue(), "csv") == [Row(line, cells) for line, cells in enumerate(table, start=2)]


@settings(max_examples=200)
@given(st.lists(st.dictionaries(st.sampled_from(NAMES), CELLS, min_size=1), min_size=1, max_size=5))
def test_ndjson_round_trip(table: list[dict[str, str]]) -> None:
    text = "".join(json.dumps(cells) + "\n" for cells in table)
    assert read(text, "ndjson") == [Row(line, cells) for line, cells in enumerate(table, start=1)]


@given(st.binary(max_size=400), st.sampled_from(["csv", "ndjson"]))
def test_no_bytes_make_the_reader_fail(content: bytes, form: rows.Format) -> None:
    header = b"indicators,basis\n" if form == "csv" else b""
    for row in read(header + content, form):
        if isinstance(row, Row):
            try:
                draft(row.fields, NOW)
            except Refused:
                continue


class TestDraft:
    def test_a_media_report_with_the_fallbacks(self) -> None:
        made = draft(MEDIA, NOW)
        assert made.indicators == (parse(MD5),)
        assert made.observed_at is None
        report = made.report
        assert (report.basis, report.labels, report.tlp) == ("human_confirmed", ["test@1:benign_a"], "amber")
        assert report.valid_until == NOW + 180 * 86_400
        assert report.media == Media(ai_origin="unknown", origin_evidence="none", detection_context="upload")

    def test_every_media_column(self) -> None:
        made = draft(
            MEDIA
            | {
                "indicators": f"{PDQ} {MD5}",
                "pdq_quality": "90",
                "labels": "test@1:benign_a  test@1:benign_b",
                "tlp": "red",
                "valid_until": "2026-12-01T00:00:00Z",
                "observed_at": "2026-11-20T00:00:00Z",
                "ai_origin": "wholly_synthetic",
                "origin_evidence": "c2pa_valid",
                "generator_family": "video",
                "source_restriction": "iwf",
                "evidence": "a" * 64 + " " + "b" * 64,
                "file": "x.jpg",
            },
            NOW,
        )
        assert made.observed_at == 1_795_132_800
        assert made.report.valid_until == 1_796_083_200
        assert made.report.media == Media(
            ai_origin="wholly_synthetic",
            origin_evidence="c2pa_valid",
            detection_context="upload",
            generator_family="video",
            pdq_quality=90,
        )
        assert made.report.evidence == ["a" * 64, "b" * 64]
        assert made.report.source_restriction == "iwf"

    def test_an_account_report(self) -> None:
        fields = {
            "indicators": TOKEN,
            "basis": "human_reviewed",
            "labels": "behaviour@1:ban_evasion",
            "conduct": "ban_evasion",
            "relevance": "child_safety",
            "action": "terminated",
            "attempts": "2-4",
            "reviewers": "2",
            "minor_suspected": "true",
        }
        assert draft(fields, NOW).report.account == Account(
            reviewers=2,
            conduct="ban_evasion",
            relevance="child_safety",
            action="terminated",
            attempts="2-4",
            minor_suspected=True,
        )

    def test_an_artefact_report(self) -> None:
        fields = {
            "indicators": "file-sha256:" + "a" * 64,
            "basis": "human_reviewed",
            "labels": "artefact@1:safety_removed",
            "artefact_kind": "lora",
        }
        assert draft(fields, NOW).report.artefact == Artefact(kind="lora")

    def test_what_a_family_needs_is_left_to_the_schema(self) -> None:
        bare = {"basis": "human_reviewed", "labels": "test@1:benign_a"}
        assert draft(bare | {"indicators": "file-sha256:" + "a" * 64}, NOW).report.artefact is None
        account = draft(
            bare | {"indicators": TOKEN, "conduct": "ban_evasion", "relevance": "both", "action": "held"},
            NOW,
        ).report.account
        assert account is not None
        assert (account.reviewers, account.minor_suspected) == (0, False)

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [("12h", 12 * 3600), ("90d", 90 * 86_400), ("8w", 56 * 86_400), ("2y", 730 * 86_400)],
    )
    def test_durations(self, text: str, seconds: int) -> None:
        assert draft(MEDIA | {"valid_for": text}, NOW).report.valid_until == NOW + seconds

    def test_defaults_fill_only_what_is_missing(self) -> None:
        made = draft(
            MEDIA | {"tlp": "green", "basis": " "},
            NOW,
            {"tlp": "red", "basis": "classifier", "valid_for": "1d"},
        )
        assert (made.report.tlp, made.report.basis, made.report.valid_until) == (
            "green",
            "classifier",
            NOW + 86_400,
        )

    def test_a_lines_own_end_outdoes_a_default_of_the_other_kind(self) -> None:
        made = draft(MEDIA | {"valid_until": "2026-12-01T00:00:00Z"}, NOW, {"valid_for": "1d"})
        assert made.report.valid_until == 1_796_083_200

    @pytest.mark.parametrize(
        ("change", "code", "field"),
        [
            ({"indicators": ""}, "claim-missing", "indicators"),
            ({"indicators": " ".join([MD5] * 17)}, "claim-invalid", "indicators"),
            ({"indicators": SECRET}, "indicator-type-unknown", "indicators"),
            ({"indicators": "md5:" + SECRET}, "indicator-invalid", "indicators"),
            ({"basis": ""}, "claim-missing", "basis"),
            ({"basis": SECRET}, "claim-invalid", "basis"),
            ({"labels": ""}, "claim-missing", "labels"),
            ({"labels": " ".join(["test@1:benign_a"] * 9)}, "claim-invalid", "labels"),
            ({"tlp": SECRET}, "claim-invalid", "tlp"),
            ({"detection_context": ""}, "claim-missing", "detection_context"),
            ({"ai_origin": SECRET}, "claim-invalid", "ai_origin"),
            ({"valid_for": SECRET}, "claim-invalid", "valid_for"),
            ({"valid_for": "0d"}, "claim-invalid", "valid_for"),
            ({"valid_for": "99999y"}, "claim-invalid", "valid_until"),
            ({"valid_until": SECRET}, "claim-invalid", "valid_until"),
            ({"valid_until": "2026-12-01T00:00:00Z", "valid_for": "1d"}, "claim-invalid", "valid_for"),
            ({"observed_at": "yesterday"}, "claim-invalid", "observed_at"),
            ({"pdq_quality": SECRET}, "claim-invalid", "pdq_quality"),
            ({"pdq_quality": "101"}, "claim-invalid", "pdq_quality"),
            ({"evidence": SECRET}, "claim-invalid", "evidence"),
            (
                {"indicators": TOKEN, "minor_suspected": "maybe", "conduct": "x"},
                "claim-invalid",
                "minor_suspected",
            ),
            ({"indicators": TOKEN, "reviewers": "two"}, "claim-invalid", "reviewers"),
            (
                {"indicators": "file-sha256:" + "a" * 64, "artefact_kind": SECRET},
                "claim-invalid",
                "artefact_kind",
            ),
        ],
    )
    def test_what_does_not_fit_is_refused_by_its_column(
        self, change: dict[str, str], code: str, field: str
    ) -> None:
        with pytest.raises(Refused) as caught:
            draft(MEDIA | change, NOW)
        assert (caught.value.code, caught.value.field) == (code, field)
        assert SECRET not in str(caught.value)


def test_fallbacks_and_private_columns_are_columns() -> None:
    assert FALLBACKS.keys() | PRIVATE <= COLUMNS.keys()
