"""What must not stand in a log is taken out of it, and facts are added where they belong."""

import asyncio
import io
import logging

import pytest

from connector_spi.log_context import RedactingFilter, current_facts, log_facts, redacted

SECRET = "PLANTEDsecretPLANTED=="


@pytest.mark.parametrize(
    "text",
    [
        f"PUT https://a.blob.core.windows.net/c/b?sv=1&se=2&sig={SECRET} failed",
        f"http://127.0.0.1:10000/devstoreaccount1/c?{SECRET}",
        f"sv=2026&sp=cw&sig={SECRET}&sr=c",
        f"SIG={SECRET}",
        f"?code={SECRET}",
        f"token={SECRET}",
        f"password={SECRET} and more",
        f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={SECRET};EndpointSuffix=x",
        f"SharedAccessSignature={SECRET}",
        f"Authorization: Bearer {SECRET}",
        f"Authorization: SharedKey acme:{SECRET}",
        f"'https://a.example/x?sig={SECRET}'",
    ],
)
def test_signatures_tokens_and_keys_are_taken_out(text: str) -> None:
    assert "PLANTED" not in redacted(text)


@pytest.mark.parametrize("text", ["", "plain", "https://a.example/x/y.csv", "the code was 5", "a = b", "100 %"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert redacted(text) == text


def test_records_are_redacted_with_arguments_and_traceback() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter())
    logger = logging.getLogger(f"{__name__}.redacted")
    logger.addHandler(handler)
    try:
        int(f"https://a.example/x?sig={SECRET}")
    except ValueError:
        logger.exception("failed: %s %d%%", f"sig={SECRET}", 5)
    finally:
        logger.removeHandler(handler)
    assert "PLANTED" not in stream.getvalue()
    assert "failed: sig=*** 5%" in stream.getvalue()
    assert "ValueError" in stream.getvalue()


async def test_facts_belong_to_their_context_alone() -> None:
    async def inside(name: str) -> dict[str, str]:
        with log_facts(transfer_process_id=name):
            await asyncio.sleep(0)
            with log_facts(step="2"):
                await asyncio.sleep(0)
                return current_facts()

    found = list(await asyncio.gather(inside("a"), inside("b")))
    assert found == [{"transfer_process_id": name, "step": "2"} for name in ("a", "b")]
    assert current_facts() == {}
