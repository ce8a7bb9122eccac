"""Cards: a public key with its owner's name, office and mandate, signed by that key itself.

The signature proves that whoever made the card holds the private key.  It proves nothing of the
person: the founders of a charter compare the key's id with its owner, face to face or by telephone.
"""

import pydantic

from skyweave.control.domain.documents import KeyRecord, canonical
from skyweave.control.signing.dsse import Envelope, parse_envelope, sign_envelope, signers
from skyweave.control.signing.keys import PrivateKey, PublicKey, public_key_from_text
from skyweave.errors import InputError

CARD_TYPE = "application/vnd.skyweave.card.v1+json"
MAX_CARD_BYTES = 16_384


def sign_card(key: PrivateKey, record: KeyRecord) -> Envelope:
    """Return the card of a key's own record."""
    if record.public != key.public.text:
        raise InputError(f'card of "{record.person}": names another key; make it with its own key')
    return sign_envelope(CARD_TYPE, canonical(record.model_dump(mode="json")), [key])


def read_card(content: bytes, source: str = "card") -> KeyRecord:
    """Return the record of a card that its own key signed."""
    if len(content) > MAX_CARD_BYTES:
        raise InputError(f"{source}: more than {MAX_CARD_BYTES:,} bytes; name a card")
    envelope = parse_envelope(content, source)
    if envelope.payload_type != CARD_TYPE:
        raise InputError(
            f"{source}: found {envelope.payload_type}, expected a card; make one with "
            "skyweave party card"
        )
    record = _record(envelope.payload, source)
    public = public_key_from_text(record.public, f"{source}: public")
    _refuse_without_possession(envelope, public, source)
    return record


def _record(payload: bytes, source: str) -> KeyRecord:
    try:
        record = KeyRecord.model_validate_json(payload)
        spelling = canonical(record.model_dump(mode="json"))
    except (pydantic.ValidationError, UnicodeEncodeError) as error:
        where = "not UTF-8"
        if isinstance(error, pydantic.ValidationError):
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = f"{'.'.join(map(str, first['loc']))[:100]}: {first['msg'][:200]}"
        raise InputError(f"{source}: {where}; make the card again") from None
    if spelling != payload:
        raise InputError(f"{source}: not in canonical form; make the card again with skyweave")
    return record


def _refuse_without_possession(envelope: Envelope, public: PublicKey, source: str) -> None:
    """A card for a key that somebody else holds, or nobody, would be an empty seat."""
    if not signers(envelope, {public.key_id: public}, CARD_TYPE):
        raise InputError(
            f"{source}: not signed by the key that it names; ask the owner of the key for the card"
        )
