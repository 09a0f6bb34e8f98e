"""One fax all the way round, as its users see it: mail in, pages at the carrier, receipt; fax in, mail out."""

import json
from io import BytesIO
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image, ImageChops

from gateway.demo.sample import sample_pdf
from gateway.fax import Direction, State
from tests import samples
from tests.scenarios.installation import CLINIC, REALM, SENDER, Installation, installed


def _pictures(document: bytes, dots_per_inch: float = 204) -> list[Image.Image]:
    """The pages of a PDF in grey."""
    with pypdfium2.PdfDocument(document) as pdf:
        return [page.render(scale=dots_per_inch / 72, grayscale=True).to_pil().convert("L") for page in pdf]


def _strips(document: bytes) -> list[bytes]:
    """The very dots of each fax page in a PDF of ours: its one image, as it is stored."""
    with pypdfium2.PdfDocument(document) as pdf:
        found = []
        for page in pdf:
            (image,) = page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE])
            found.append(image.get_bitmap().to_pil().convert("1").tobytes())
        return found


def _alike(page: Image.Image, original: Image.Image) -> float:
    """The share of dots that differ when both are made equally large and soft, as an eye sees them."""
    size = (432, 540)
    soft = [picture.resize(size, Image.Resampling.BOX) for picture in (page, original.convert("L"))]
    difference = ImageChops.difference(*soft).point(lambda value: 255 if value > 96 else 0)
    return difference.histogram()[255] / (size[0] * size[1])


async def _round(house: Installation) -> None:
    document = sample_pdf()
    async with house.serving():
        reply = await house.mail(CLINIC, document=document)
        await house.until(lambda: house.mails(SENDER), "the receipt")
        await house.until(lambda: house.mails(f"ward@{REALM}"), "the received fax")
        await house.until(lambda: house.mails(f"inbox@{REALM}"), "the received fax")
        fax_id = reply.split()[-1]
        status, listed = await house.get(f"/v2/accounts/{house.account_id.hex}/faxes/smtplog")
        assert status == 200
        row = json.loads(listed)["data"][0]
        status, detail = await house.get(f"/v2/accounts/{house.account_id.hex}/faxes/smtplog/{row['id']}")
        assert status == 200
        await house.until(lambda: not house.emulator.media.all(), "the end of what was uploaded")
    _check_pages(house, document)
    _check_mails(house, fax_id)
    _check_smtplog(row, json.loads(detail)["data"], fax_id)
    code, printed = await house.run("smtplog", "list", "--json")
    assert code == 0
    assert json.loads(printed)[0]["fax_ids"] == [fax_id]


def _check_pages(house: Installation, original: bytes) -> None:
    sent, received = house.document(Direction.OUTBOUND), house.document(Direction.INBOUND)
    pages, originals = _pictures(sent.content), _pictures(original)
    assert len(pages) == len(originals) == sent.pages
    for page, like in zip(pages, originals, strict=True):
        assert _alike(page, like) < 0.02, "the carrier has the pages that were mailed"
        assert min(page.histogram()[0], page.histogram()[255]) > 0, "neither white nor black all over"
    (attached,) = house.mails(f"ward@{REALM}")[0].parsed.iter_attachments()
    assert attached.get_content_type() == "application/pdf"
    assert _strips(attached.get_content()) == _strips(received.content) == _strips(sent.content)


def _check_mails(house: Installation, fax_id: str) -> None:
    receipt = house.mails(SENDER)[0]
    assert receipt.subject == "Fax to +1 202-555-0199: delivered (2 pages)"
    assert receipt.parsed["Auto-Submitted"] == "auto-replied"
    assert receipt.parsed["X-Fax-Id"] == fax_id
    assert receipt.parsed["In-Reply-To"]
    pictures = [part for part in receipt.parsed.walk() if part.get_content_type() == "image/png"]
    assert len(pictures) == 1, "the first page is shown small"
    assert Image.open(BytesIO(pictures[0].get_content())).width > 100
    assert len(house.catcher.mails) == 3, "one receipt, and one mail for each recipient"
    assert house.mails(f"ward@{REALM}")[0].subject == "Fax from +1 202-555-0100: 2 pages"


def _check_smtplog(row: dict[str, object], detail: dict[str, object], fax_id: str) -> None:
    assert "error" not in row, "a mail that was taken has none"
    assert row["from"] == SENDER
    assert detail["errors"] == []
    assert detail["translated_number"] == CLINIC
    assert detail["helo"] == "ward-pc.test.example"
    assert detail["fax_ids"] == [fax_id] or detail["fax_ids"] == [fax_id.replace("-", "")]
    found = detail["found"]
    assert isinstance(found, list)
    assert [part["used"] for part in found] == [False, True]
    assert "not faxed" in found[0]["why"]


@pytest.mark.parametrize("behind_nat", [False, True], ids=["webhooks", "behind NAT"])
async def test_one_fax_all_the_way_round(tmp_path: Path, database_url: str, behind_nat: bool) -> None:
    async with installed(tmp_path, database_url, behind_nat=behind_nat) as house:
        await _round(house)


async def test_a_document_whose_pages_two_readers_do_not_agree_on_is_not_sent(tmp_path: Path) -> None:
    """It is counted once while the mail client waits, and twice before its pages are made."""
    wrong = samples.pdf(3).replace(b"/Count 3", b"/Count 2")
    async with installed(tmp_path, f"sqlite:///{tmp_path}/faxgate.db") as house:
        async with house.serving():
            assert (await house.mail(CLINIC, document=wrong)).startswith("2.0.0 taken")
            await house.until(lambda: house.mails(SENDER), "the failure mail")
        (receipt,) = house.mails(SENDER)
        assert "cannot be counted with certainty" in receipt.parsed.as_string().replace("=\n", "").replace("\n", " ")
        assert house.sent() == []
        (fax,) = await house.faxes()
        assert fax.state is State.FAILED
