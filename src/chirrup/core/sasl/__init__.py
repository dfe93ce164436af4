"""SASL, sans I/O: a file a mechanism, with the server's half and the client's in it (RFC 4422, RFC 6120 §6).

A server gives each message of the client to `ServerMechanism.step` and does what the returned step says; a client
sends what `ClientMechanism` returns. Nonces are made by the caller; base64 is put on and taken off by
`encode_base64` and `decode_base64`.
"""

from chirrup.core.sasl.base import (
    Challenge,
    ClientMechanism,
    NeedIdentity,
    NeedKeys,
    NeedPassword,
    NeedSaltedPassword,
    NeedTokens,
    ServerMechanism,
    Step,
    Success,
)
from chirrup.core.sasl.downgrade import Advertised
from chirrup.core.sasl.encoding import decode_base64, encode_base64
from chirrup.core.sasl.hashed_token import KnownToken, TokenClient, TokenServer
from chirrup.core.sasl.keys import (
    HASHES,
    SALT_OCTETS,
    ScramKeys,
    decoy_keys,
    derive_keys,
    keys_match,
    keys_of,
    prepare_password,
)
from chirrup.core.sasl.mechanisms import (
    MECHANISMS,
    CredentialKind,
    binding_types,
    choose,
    client_mechanism,
    server_mechanism,
)
from chirrup.core.sasl.scram import MAX_ITERATIONS, MIN_ITERATIONS, SaltedPasswords, check_iterations

__all__ = [
    "HASHES",
    "MAX_ITERATIONS",
    "MECHANISMS",
    "MIN_ITERATIONS",
    "SALT_OCTETS",
    "Advertised",
    "Challenge",
    "ClientMechanism",
    "CredentialKind",
    "KnownToken",
    "NeedIdentity",
    "NeedKeys",
    "NeedPassword",
    "NeedSaltedPassword",
    "NeedTokens",
    "SaltedPasswords",
    "ScramKeys",
    "ServerMechanism",
    "Step",
    "Success",
    "TokenClient",
    "TokenServer",
    "binding_types",
    "check_iterations",
    "choose",
    "client_mechanism",
    "decode_base64",
    "decoy_keys",
    "derive_keys",
    "encode_base64",
    "keys_match",
    "keys_of",
    "prepare_password",
    "server_mechanism",
]
