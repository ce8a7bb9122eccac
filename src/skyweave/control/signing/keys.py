"""Ed25519 key pairs (RFC 8032) and the files that private keys are kept in.

A key file is one JSON object.  With a passphrase the private key is sealed by AES-256-GCM under a
key that scrypt (RFC 7914) derives; the parameters are fixed, so no file can ask for more memory.
Without a passphrase the file is accepted only while its owner alone can read it.
"""

import hashlib
import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skyweave.control.files import PRIVATE_MODE, write_new
from skyweave.control.signing.encoding import from_base64, shown, to_base64
from skyweave.errors import InputError, SkyweaveError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ed25519 as ed25519_types

PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64
MAX_KEY_FILE_BYTES = 4096

_FORMAT = "skyweave-key-v1"
_SCRYPT = {"n": 2**17, "r": 8, "p": 1}  # 128 MiB and some 0.4 s for each guess
_KDF = "scrypt-131072-8-1"
_SALT_BYTES = 16
_NONCE_BYTES = 12
# The y coordinates, little-endian, of the points whose order divides 8, and their spellings beyond
# the field's prime p = 2**255 - 19: signatures under such a key fit almost any message.
_P = 2**255 - 19
_ORDER_EIGHT = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
_SMALL_ORDER = {0, 1, _P - 1, _P, _P + 1, _ORDER_EIGHT, _P - _ORDER_EIGHT}
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class PublicKey:
    """An Ed25519 public key: the 32 bytes of RFC 8032."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != PUBLIC_KEY_BYTES:
            raise InputError(
                f"public key: found {len(self.raw)} bytes, expected {PUBLIC_KEY_BYTES} of Ed25519"
            )
        if int.from_bytes(self.raw, "little") & (2**255 - 1) in _SMALL_ORDER:
            raise InputError("public key: of small order, so it fits any text; make a new key")

    @property
    def key_id(self) -> str:
        """SHA-256 of the key's bytes in hexadecimal: what the key is called everywhere."""
        return hashlib.sha256(self.raw).hexdigest()

    @property
    def text(self) -> str:
        """The key in base64."""
        return to_base64(self.raw)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Return whether the key's holder signed exactly these bytes."""
        from cryptography.exceptions import InvalidSignature

        try:
            _ed25519().Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):  # ValueError: the bytes are no point of the curve
            return False
        return True


@dataclass(frozen=True, eq=False)
class PrivateKey:
    """A signing key; its secret never shows in its text form."""

    public: PublicKey
    _secret: "ed25519_types.Ed25519PrivateKey" = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature; the same key and message always give the same one."""
        return self._secret.sign(message)

    def seed(self) -> bytes:
        """Return the 32 secret bytes."""
        return self._secret.private_bytes_raw()


def public_key_from_text(text: str, where: str = "public key") -> PublicKey:
    """Return the key of 32 bytes in base64."""
    return PublicKey(from_base64(text, where, PUBLIC_KEY_BYTES))


def generate_key() -> PrivateKey:
    """Return a new key pair from the operating system's randomness."""
    return _paired(_ed25519().Ed25519PrivateKey.generate())


def private_key_from_seed(seed: bytes) -> PrivateKey:
    """Return the key pair of 32 secret bytes."""
    return _paired(_ed25519().Ed25519PrivateKey.from_private_bytes(seed))


def save_private_key(path: Path, key: PrivateKey, passphrase: str | None = None) -> None:
    """Write a new key file that only its owner can read; an existing file is never replaced."""
    content: dict[str, str] = {"format": _FORMAT, "public": key.public.text}
    if passphrase is None:
        content["private"] = to_base64(key.seed())
    else:
        salt, nonce = os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
        cipher = _cipher(passphrase, salt)
        content |= {"kdf": _KDF, "salt": to_base64(salt), "nonce": to_base64(nonce)}
        content["sealed"] = to_base64(cipher.encrypt(nonce, key.seed(), key.public.raw))
    encoded = (json.dumps(content) + "\n").encode("ascii")
    write_new(path, encoded, mode=PRIVATE_MODE, what="keys")


def load_private_key(path: Path, passphrase: str | None = None) -> PrivateKey:
    """Return the key of a file that `save_private_key` wrote."""
    content, others_read, own = _key_file(path)
    public = public_key_from_text(content["public"], f"{path}: public")
    if "private" in content:
        if others_read or not own:
            raise InputError(
                f"{path}: the key has no passphrase and "
                + ("the file belongs to another user" if not own else "others can read the file")
                + f'; run "chmod 600 {path}" as its owner or save the key with a passphrase'
            )
        seed = from_base64(content["private"], f"{path}: private", PUBLIC_KEY_BYTES)
    else:
        seed = _unsealed(path, content, public, passphrase)
    key = private_key_from_seed(seed)
    if key.public != public:
        raise InputError(f"{path}: private and public key do not belong together; restore the file")
    return key


def load_public_key(path: Path) -> PublicKey:
    """Return the public half of a key file, which needs no passphrase."""
    content, _, _ = _key_file(path)
    return public_key_from_text(content["public"], f"{path}: public")


def _paired(secret: "ed25519_types.Ed25519PrivateKey") -> PrivateKey:
    return PrivateKey(PublicKey(secret.public_key().public_bytes_raw()), secret)


def _key_file(path: Path) -> tuple[dict[str, str], bool, bool]:
    """Return a key file's fields, whether others may read it, and whether it is the user's own."""
    try:
        # A named pipe would never answer; the permissions are those of the file that is read.
        with open(path, "rb", opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise InputError(f"{path}: not a plain file; name a key file")
            content = file.read(MAX_KEY_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; name a key file") from None
    fields = _fields(content) if len(content) <= MAX_KEY_FILE_BYTES else None
    sealed = {"format", "public", "kdf", "salt", "nonce", "sealed"}
    if fields is None or set(fields) not in (sealed, {"format", "public", "private"}):
        raise InputError(f"{path}: not a key file of Skyweave; name one, or make one anew")
    for name, expected in (("format", _FORMAT), ("kdf", _KDF)):
        if fields.get(name, expected) != expected:
            raise InputError(
                f"{path}: {name} is {shown(fields[name])}, expected {expected}; "
                "read it with the version that wrote it"
            )
    return fields, bool(status.st_mode & _OTHERS), status.st_uid == os.geteuid()


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _fields(content: bytes) -> dict[str, str] | None:
    """Return the strings of a flat JSON object, None where it is anything else."""
    try:
        fields = json.loads(content.decode("ascii"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or not all(isinstance(x, str) for x in fields.values()):
        return None
    return fields


def _unsealed(
    path: Path, content: dict[str, str], public: PublicKey, passphrase: str | None
) -> bytes:
    if passphrase is None:
        raise InputError(f"{path}: the key is sealed; give its passphrase")
    from cryptography.exceptions import InvalidTag

    salt = from_base64(content["salt"], f"{path}: salt", _SALT_BYTES)
    nonce = from_base64(content["nonce"], f"{path}: nonce", _NONCE_BYTES)
    sealed = from_base64(content["sealed"], f"{path}: sealed", PUBLIC_KEY_BYTES + 16)
    try:
        seed: bytes = _cipher(passphrase, salt).decrypt(nonce, sealed, public.raw)
    except InvalidTag:
        raise InputError(
            f"{path}: the passphrase does not open the key, or the file was changed; try again"
        ) from None
    return seed


def _cipher(passphrase: str, salt: bytes) -> Any:
    _ed25519()  # says which extra is absent
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    memory = 2 * 128 * _SCRYPT["n"] * _SCRYPT["r"]  # OpenSSL asks for a little over 128 n r bytes
    key = hashlib.scrypt(passphrase.encode(), salt=salt, maxmem=memory, dklen=32, **_SCRYPT)
    return AESGCM(key)


def _ed25519() -> Any:
    """Return the library's module; it comes with the extra `control`, so it is imported late."""
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise SkyweaveError(
            "signatures need the package cryptography; install it with "
            'pip install "skyweave[control]"'
        ) from None
    return ed25519
